import type { Shard, Topology } from './topology.js'

/** What goes to each master: the answers of one that is well need not wait for one that is not. */
export function sharesOf<Item>(
  topology: Topology,
  items: readonly Item[],
  keyOf: (item: Item) => string,
): ReadonlyMap<Shard | undefined, readonly Item[]> {
  const shares = new Map<Shard | undefined, Item[]>()
  if (items.length === 0) return shares
  if (!topology.sharded) return shares.set(topology.shardOf(keyOf(items[0]!)), [...items])
  for (const item of items) {
    const shard = topology.shardOf(keyOf(item))
    const share = shares.get(shard)
    if (share === undefined) shares.set(shard, [item])
    else share.push(item)
  }
  return shares
}
