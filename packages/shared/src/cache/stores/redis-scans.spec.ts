import { beforeEach, describe, expect, it } from 'vitest'
import { globMatcher } from '../../kernel/glob.js'
import { Keyspace } from '../../redis/keyspace.js'
import type { Executed, Layout, RedisCommand, RedisReply, Shard, ShardSession, Topology } from '../../redis/topology.js'
import { CacheUnavailableError } from '../errors.js'
import { RedisScans } from './redis-scans.js'
import { RedisUnits } from './redis-units.js'

const KEYSPACE = new Keyspace('vextrus:')

/** A master with keys that knows SCAN, DEL and UNLINK, and lets a test do something before each list of commands. */
class Master implements Shard {
  session: ShardSession
  readonly keys = new Set<string>()
  before: () => void = () => undefined

  constructor(readonly id: string) {
    this.session = { epoch: id.padEnd(8, '0'), runId: id }
  }

  async exec(commands: readonly RedisCommand[]): Promise<Executed> {
    this.before()
    return { replies: commands.map((each) => this.answer(each)), session: this.session }
  }

  serverNow(): undefined {
    return undefined
  }

  private answer({ name, args }: RedisCommand): RedisReply {
    if (name === 'SCAN') return ['0', [...this.keys].filter(globMatcher(String(args[2])))]
    return args.filter((key) => this.keys.delete(String(key))).length
  }
}

let masters: [Master, Master]
let layouts: Layout[]
let asked: number
let scans: RedisScans

const RESTING: Layout = { slots: 'a, b', migrating: false }

/** Keys whose name has a 2 lie on the second master. */
const masterOf = (key: string): Master => masters[key.includes('2') ? 1 : 0]
const put = (...keys: string[]): void => keys.forEach((key) => masterOf(key).keys.add(key))
const entry = (key: string): string => KEYSPACE.entry(key)
const lease = (key: string): string => KEYSPACE.lease(key)
const left = (): string[] => masters.flatMap(({ keys }) => [...keys])

beforeEach(() => {
  masters = [new Master('one'), new Master('two')]
  layouts = []
  asked = 0
  const topology: Topology = {
    sharded: true,
    shardOf: masterOf,
    shards: () => masters,
    layout: async () => layouts[asked++] ?? layouts.at(-1) ?? RESTING,
    exec: (units) =>
      Promise.all(
        units.map(async ({ key, commands }) => {
          const shard = masterOf(key)
          const executed = await shard.exec(typeof commands === 'function' ? commands(shard) : commands)
          return { ...executed, shard, redirected: false }
        }),
      ),
  }
  scans = new RedisScans(new RedisUnits(topology, 500), KEYSPACE)
})

describe('a delete by pattern (R12)', () => {
  it('counts what went from all masters, and names the keys whose load it refused', async () => {
    put(entry('a1'), entry('a2'), entry('a3'), entry('b2'), lease('a1'), lease('a2'), lease('b1'))
    const { removed, leased } = await scans.deletePattern('a*')
    expect(removed).toBe(3)
    expect([...leased].sort()).toEqual(['a1', 'a2'])
    expect(left().sort()).toEqual([entry('b2'), lease('b1')].sort())
  })

  it('leaves nothing of a load that was under way, whenever that is stored', async () => {
    for (let moment = 0; moment < 8; moment++) {
      const [one] = masters
      put(lease('a1'))
      let commands = 0
      one.before = () => {
        // As the script does: stored only under its lease.
        if (commands++ === moment && one.keys.delete(lease('a1'))) put(entry('a1'))
      }
      await scans.deletePattern('a*')
      one.before = () => undefined
      expect(left(), `stored before its list ${moment}`).toEqual([])
    }
  })

  it('begins again when slots have changed masters meanwhile: keys that moved may have been seen at neither', async () => {
    layouts = [RESTING, { slots: 'b, a', migrating: false }]
    put(entry('a1'))
    let rounds = 0
    masters[1].before = () => {
      // Two scans a round. The key comes over when this master's own are over.
      if (++rounds === 3) put(entry('a2'))
    }
    expect((await scans.deletePattern('a*')).removed).toBe(2)
    expect(left()).toEqual([])
    expect(asked).toBe(4)
  })

  it.each([
    ['before', [{ slots: 'a, b', migrating: true }, RESTING]],
    ['after', [RESTING, { slots: 'a, b', migrating: true }, RESTING]],
  ])('begins again when a slot was on its way %s the scans', async (_, seen) => {
    layouts = seen
    await scans.deletePattern('a*')
    expect(asked).toBe(4)
  })

  it('does not go on where its connection was lost and made again: a cursor means nothing to another server', async () => {
    put(entry('a1'), lease('a1'))
    let lists = 0
    masters[0].before = () => {
      if (lists++ === 2) masters[0].session = { epoch: 'another0', runId: 'another' }
    }
    await expect(scans.deletePattern('a*')).rejects.toThrow(CacheUnavailableError)
  })

  it('gives up as unavailable when slots never rest', async () => {
    layouts = [{ slots: 'a, b', migrating: true }]
    await expect(scans.deletePattern('a*')).rejects.toThrow(CacheUnavailableError)
  })
})
