import {
  CLOCK_RULES,
  edit,
  LOAD_RULES,
  type Mutant,
  REDIS_ONLY,
  SCRIPTS,
  STORE_ON_REDIS,
  WRITE_RULES,
} from './mutant.js'

/** R7 to R10: leases, fills, shared loads and waiting. */
export const LOAD_MUTANTS: readonly Mutant[] = [
  {
    name: 'token shared per process',
    rule: 'R7',
    edits: [
      edit(
        'cache/lease-batches.ts',
        `token: this.random.token()`,
        `token: ((this as any).ofProcess ??= this.random.token())`,
      ),
    ],
    killer: [LOAD_RULES, 'has a token of its own each time'],
  },
  {
    name: 'lease without its server stamp',
    rule: 'R7',
    edits: [edit(SCRIPTS, `ARGV[1] .. ':' .. time[1] .. string.format('%06d', time[2])`, `ARGV[1] .. ':0'`)],
    killer: [STORE_ON_REDIS, 'taken once more by a late copy'],
  },
  {
    name: 'lease without its server stamp, in memory',
    rule: 'R7',
    edits: [edit('cache/stores/memory-space.ts', 'value: `${token}:${now}`', 'value: `${token}:0`')],
    killer: [LOAD_RULES, 'that a late copy of the question takes again'],
  },
  {
    name: 'renewal by SET NX',
    rule: 'R7',
    edits: [
      edit(
        SCRIPTS,
        `if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`,
        `redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX')
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`,
      ),
    ],
    killer: [STORE_ON_REDIS, 'is not extended and never made again'],
  },
  {
    name: 's read after the load',
    rule: 'R7',
    edits: [
      edit(
        'cache/lease-upkeep.ts',
        `const entry = { key: lease.key, g, s, deltaMs,`,
        `const entry = { key: lease.key, g, s: (this.leases as any).clock.since?.s ?? s, deltaMs,`,
      ),
    ],
    killer: [CLOCK_RULES, 'refuses a load that began before it'],
  },
  {
    name: 'own-load re-entry not detected',
    rule: 'R7',
    edits: [
      edit('cache/loader.ts', `if (this.scope.has(key))`, `if (false)`),
      edit('cache/loader.ts', `running.reaches(new Set(around))`, `false`),
    ],
    killer: [LOAD_RULES, 'is not asked for inside the own load of the key'],
  },
  {
    name: 'entry found by the lease shared with who came later',
    rule: 'R7',
    edits: [
      edit(
        'cache/loader.ts',
        `if (joined.caller.began > asked) joined.resolve(null)`,
        `if (false) joined.resolve(null)`,
      ),
    ],
    killer: [LOAD_RULES, 'that was found filled is shared with those alone'],
  },
  {
    name: 'fill without the lease compare',
    rule: 'R8',
    edits: [
      edit(
        SCRIPTS,
        `if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
local tail`,
        `local tail`,
      ),
    ],
    killer: [STORE_ON_REDIS, 'is refused without its lease'],
  },
  {
    name: 'fill without the lease compare, in memory',
    rule: 'R8',
    edits: [edit('cache/stores/memory.ts', `if (this.held(fill) === null) return false`, ``)],
    killer: [WRITE_RULES, 'refuses a load that is under way: its fill finds no lease'],
  },
  {
    name: 'joiner without clock',
    rule: 'R9',
    edits: [edit('cache/lease-batches.ts', `resolve(reply.stored[i]! && current && `, `resolve(reply.stored[i]! && `)],
    killer: [LOAD_RULES, 'nobody who came after its tag was invalidated'],
  },
  {
    name: 'joiner without #g',
    rule: 'R9',
    edits: [
      edit(
        'cache/lease-batches.ts',
        `validBy(entry.g, entry.s, entryMarks, reply.clock)`,
        `validBy(reply.clock.g ?? entry.g, entry.s, entryMarks, reply.clock)`,
      ),
    ],
    killer: [LOAD_RULES, 'nobody who came after everything was cleared'],
  },
  {
    name: 'joiner of a refused load',
    rule: 'R9',
    edits: [edit('cache/lease-batches.ts', `resolve(reply.stored[i]! && current && `, `resolve(current && `)],
    killer: [LOAD_RULES, 'nobody who came after its key was deleted'],
  },
  {
    name: 'joined after the fill was sent',
    rule: 'R9',
    edits: [edit('cache/loader.ts', `    load.joinable = false\n    const { value`, `    const { value`)],
    killer: [LOAD_RULES, 'nobody once the fill was sent'],
  },
  {
    name: 'error of one joiner lost',
    rule: 'R9',
    edits: [
      edit(
        'cache/loader.ts',
        `this.join(load.key, joined.caller)).then(joined.resolve, joined.reject)`,
        `this.join(load.key, joined.caller)).then(joined.resolve, () => undefined)`,
      ),
    ],
    killer: [LOAD_RULES, 'the error of the load that late callers start'],
  },
  {
    name: 'R10 wake registered after asking',
    rule: 'R10',
    edits: [
      edit(
        'cache/loader.ts',
        `const wait = this.waiters.open(load.key)`,
        `let wait: any = { close: () => undefined, wake: () => undefined }`,
      ),
      edit(
        'cache/loader.ts',
        `const claim = await this.answered(load, this.leases.claim(load.key, LEASE_MS, leader.replaces))`,
        `const claim = await this.answered(load, this.leases.claim(load.key, LEASE_MS, leader.replaces))
        wait = this.waiters.open(load.key)`,
      ),
    ],
    killer: [LOAD_RULES, 'hears a wake that comes before the answer'],
  },
  {
    name: 'waits for every holder that comes',
    rule: 'R10',
    edits: [edit('cache/loader.ts', `leader.holders.size >= MOST_HOLDERS`, `leader.holders.size >= Infinity`)],
    killer: [LOAD_RULES, 'is for two holders at most'],
  },
  {
    name: 'waiters of a lease told before it is gone',
    rule: 'R10',
    edits: [
      edit(
        'cache/stores/redis.ts',
        `    await this.units.all(
      leases.map(({ key, value }) =>
        this.unit(key, [scriptCommand(SCRIPTS.cacheRelease, [this.keyspace.lease(key)], [value])]),
      ),
    )`,
        `    await this.units.all(
      leases.map(({ key, value }) =>
        this.unit(key, [
          scriptCommand(SCRIPTS.cacheRelease, [this.keyspace.lease(key)], [value]),
          command('SET', [this.keyspace.wake(key), '1', 'PX', SIGNAL_MS]),
        ]),
      ),
    )`,
      ),
    ],
    killer: [REDIS_ONLY, 'wakes the waiters of a release when the lease is gone'],
  },
  {
    name: 'lease kept when the answer behind its grant is lost',
    rule: 'R7',
    edits: [
      edit('cache/lease-batches.ts', `answered?.granted === true ? { key, value: answered.value } : null`, `null`),
    ],
    killer: [LOAD_RULES, 'does not stay when what was asked after its grant has no answer'],
  },
  {
    name: 'lease kept when its fill has no answer',
    rule: 'R8',
    edits: [edit('cache/lease-upkeep.ts', `if (accepted === null) this.release(lease)`, ``)],
    killer: [LOAD_RULES, 'does not stay when its fill has no answer'],
  },
]
