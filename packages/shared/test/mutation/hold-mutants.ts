import { edit, HOLD_RULES, INVALIDATION_HOLD, type Mutant, SCRIPTS, STORE_IN_MEMORY, STORE_ON_REDIS } from './mutant.js'

const NOT_AT_CLAIMS = edit(
  'cache/lease-batches.ts',
  `if (held !== null && isHeld(held, key, entry?.tags ?? [])) return { kind: 'held', lease }`,
  ``,
)
const NOT_AT_FILLS = edit('cache/lease-batches.ts', ` && !(held !== null && isHeld(held, entry.key, entry.tags)))`, `)`)

/** R13. */
export const HOLD_MUTANTS: readonly Mutant[] = [
  {
    name: 'hold not judged at reads',
    rule: 'R13',
    edits: [edit('cache/tag-clock.ts', `reading.held !== null && isHeld(`, `false && isHeld(`)],
    killer: [HOLD_RULES, 'makes a miss of what is written under it'],
  },
  {
    name: 'hold on a tag not judged',
    rule: 'R13',
    edits: [edit('cache/tag-clock.ts', ` || isAnyHeld(held, tags)`, ``)],
    killer: [HOLD_RULES, 'makes a miss of what is written under it'],
  },
  {
    name: 'hold not judged at claims',
    rule: 'R13',
    edits: [NOT_AT_CLAIMS],
    killer: [HOLD_RULES, 'keeps the load from being stored: a read may see the entry'],
  },
  {
    name: 'hold judged neither at claims nor at fills',
    rule: 'R13',
    edits: [NOT_AT_CLAIMS, NOT_AT_FILLS],
    killer: [HOLD_RULES, 'keeps the load from being shared with who came after the commit'],
  },
  {
    name: 'joiners take a fill made under a hold',
    rule: 'R13',
    edits: [NOT_AT_FILLS],
    killer: [HOLD_RULES, 'that the answer about a lease did not show'],
  },
  {
    name: 'no look for holds before a fill on a Cluster',
    rule: 'R8',
    edits: [edit('cache/lease-batches.ts', 'if (!this.store.inOrder) requests', 'if (false) requests')],
    killer: [HOLD_RULES, 'keeps the load from being stored: a key'],
  },
  {
    name: 'hold placed without R11',
    rule: 'R13',
    edits: [
      edit(
        'cache/stores/memory.ts',
        `return false
    this.invalidate(hold.keys, hold.tags, maxTags)`,
        `return false`,
      ),
    ],
    killer: [HOLD_RULES, 'refuses the fill of a load that began before it'],
  },
  {
    name: 'hold placed without R11, on Redis',
    rule: 'R13',
    edits: [
      edit(
        'cache/stores/redis.ts',
        `    if (hold.keys.length > 0) await this.delete(hold.keys)
    if (hold.tags.length > 0)`,
        `    if (hold.tags.length > 0)`,
      ),
    ],
    killer: [STORE_ON_REDIS, 'placing a hold (R13) drops the leases of its keys'],
  },
  {
    name: 'hold placed without a bump, on Redis',
    rule: 'R13',
    edits: [edit('cache/stores/redis.ts', `if (hold.tags.length > 0) await this.clock.bump(hold.tags, maxTags)`, ``)],
    killer: [STORE_ON_REDIS, 'marks its tags: entries from before are older'],
  },
  {
    name: 'hold dropped by delete',
    rule: 'R13',
    edits: [
      edit(
        'cache/stores/memory-space.ts',
        `    this.dropLease(key)
    const was = this.remove(key)`,
        `    this.dropLease(key)
    for (const { owner, kind, name } of this.tagClock.holds()) {
      if (kind === 'key' && name === key) this.tagClock.removeHold({ owner, keys: [name], tags: [] })
    }
    const was = this.remove(key)`,
      ),
    ],
    killer: [HOLD_RULES, 'outlives a delete and an invalidation by others'],
  },
  {
    name: 'end without R11 and bump',
    rule: 'R13',
    edits: [
      edit(
        'cache/stores/memory.ts',
        `    this.invalidate(hold.keys, hold.tags, maxTags)
    this.space.tagClock.removeHold(hold)`,
        `    this.space.tagClock.removeHold(hold)`,
      ),
    ],
    killer: [HOLD_RULES, 'makes a miss of what is written under it'],
  },
  {
    name: 'end without R11, on Redis',
    rule: 'R13',
    edits: [
      edit(
        'cache/stores/redis.ts',
        `    if (hold.keys.length > 0) await this.delete(hold.keys)
    await this.clock.bump(hold.tags`,
        `    await this.clock.bump(hold.tags`,
      ),
    ],
    killer: [STORE_ON_REDIS, 'ending a hold drops what was stored under it'],
  },
  {
    name: 'end without bump, on Redis',
    rule: 'R13',
    edits: [
      edit(
        'cache/stores/redis.ts',
        `await this.clock.bump(hold.tags, maxTags, membersOf(hold))`,
        `await this.clock.bump([], maxTags, membersOf(hold))`,
      ),
    ],
    killer: [STORE_ON_REDIS, 'ending a hold drops what was stored under it'],
  },
  {
    name: 'expired hold counts no more',
    rule: 'R13',
    edits: [
      edit(
        'cache/stores/memory.ts',
        `const holds = tagClock.holds()`,
        `const holds = tagClock.holds().filter(({ endMs }) => endMs > this.space.nowMs())`,
      ),
    ],
    killer: [HOLD_RULES, 'of a process that died makes misses until'],
  },
  {
    name: 'expired hold finished by nobody',
    rule: 'R13',
    edits: [
      edit(
        'cache/entry-reader.ts',
        `if (reading.held !== null) this.onHolds(reply.clock.holds, latest(reply.sources))`,
        ``,
      ),
    ],
    killer: [HOLD_RULES, 'of a process that died makes misses until'],
  },
  {
    name: 'finish removes what is not expired',
    rule: 'R13',
    edits: [edit('cache/stores/memory-clock.ts', `standing.endMs <= nowMs && `, ``)],
    killer: [STORE_IN_MEMORY, 'is finished alone: those that still stand'],
  },
  {
    name: 'finish removes what is not expired, on Redis',
    rule: 'R13',
    edits: [edit(SCRIPTS, `if ends and (ARGV[2] == 'all' or tonumber(ends) <= now) then`, `if ends then`)],
    killer: [STORE_ON_REDIS, 'is finished alone: those that still stand'],
  },
  {
    name: 'finish removes without invalidating',
    rule: 'R13',
    edits: [edit('cache/stores/memory.ts', `this.invalidate(names('key'), names('tag'), maxTags)`, ``)],
    killer: [HOLD_RULES, 'of a process that died makes misses until'],
  },
  {
    name: 'lost member silently renewed',
    rule: 'R13',
    edits: [
      edit(
        'cache/stores/memory-clock.ts',
        `if (this.g === null || [...members.keys()].some((id) => !this.members.has(id))) return false`,
        `this.create()`,
      ),
    ],
    killer: [STORE_IN_MEMORY, 'is refused when a member is gone'],
  },
  {
    name: 'lost member silently renewed, on Redis',
    rule: 'R13',
    edits: [
      edit(
        SCRIPTS,
        `  if new > 0 then
    return 0
  end`,
        ``,
      ),
    ],
    killer: [STORE_ON_REDIS, 'is refused when a member is gone'],
  },
  {
    name: 'lost hold not placed anew',
    rule: 'R13',
    edits: [edit('cache/invalidation-hold.ts', `if (!held && !this.ending) await this.placeInFull()`, ``)],
    killer: [INVALIDATION_HOLD, 'places a hold that lost a member anew in full'],
  },
  {
    name: 'hold placed anew after its end was sent',
    rule: 'R13',
    edits: [edit('cache/invalidation-hold.ts', `if (!held && !this.ending)`, `if (!held)`)],
    killer: [INVALIDATION_HOLD, 'never places anew once the end was sent'],
  },
  {
    name: 'end sent beside a renewal',
    rule: 'R13',
    edits: [edit('cache/invalidation-hold.ts', `if (this.renewing !== null) await this.renewing`, ``)],
    killer: [INVALIDATION_HOLD, 'sends the end after a renewal that is under way'],
  },
  {
    name: 'work begun without the hold',
    rule: 'R13',
    edits: [
      edit('cache/invalidation-hold.ts', `await standing.place()`, `await standing.place().catch(() => undefined)`),
    ],
    killer: [INVALIDATION_HOLD, 'does not begin the work when the store is away'],
  },
  {
    name: 'work begun before the hold stands',
    rule: 'R13',
    edits: [edit('cache/invalidation-hold.ts', `await standing.place()`, `void standing.place()`)],
    killer: [INVALIDATION_HOLD, 'does not begin the work when the store is away'],
  },
  {
    name: 'nothing invalidated when the work throws',
    rule: 'R13',
    edits: [
      edit(
        'cache/invalidation-hold.ts',
        `      return await work(standing.signal)
    } finally {
      await standing.end(lagMs)
    }`,
        `      const result = await work(standing.signal)
      await standing.end(lagMs)
      return result
    } finally {
    }`,
      ),
    ],
    killer: [INVALIDATION_HOLD, 'invalidates also when the work throws'],
  },
  {
    name: 'replica not waited for',
    rule: 'R13',
    edits: [edit('cache/invalidation-hold.ts', `if (lagMs > 0) await`, `if (lagMs > 0) void`)],
    killer: [INVALIDATION_HOLD, 'waits for the replica before it invalidates'],
  },
  {
    name: 'signal not fired',
    rule: 'R13',
    edits: [edit('cache/invalidation-hold.ts', `this.controller.abort(`, `new AbortController().abort(`)],
    killer: [INVALIDATION_HOLD, 'fires the signal with a coded reason'],
  },
  {
    name: 'base reading without holds',
    rule: 'R13',
    edits: [edit('cache/stores/redis-clock.ts', `holds: holdsReply(holds!), full`, `holds: [], full`)],
    killer: [STORE_ON_REDIS, 'shows every member in every reply about the clock'],
  },
  {
    name: 'delta without holds',
    rule: 'R13',
    edits: [edit('cache/stores/redis-clock.ts', `if (hold !== null) holds = [...holds, hold]`, ``)],
    killer: [STORE_ON_REDIS, 'shows every member in every reply about the clock'],
  },
]
