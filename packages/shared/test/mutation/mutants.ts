/**
 * Known bugs, one for each rule that looks fussy. The gate (`run.mjs`) puts each of them back into the source as the tests see it, and the
 * test named here must fail. The product carries no switch for it.
 */
export interface Mutant {
  readonly name: string
  /** The rule of the coherence protocol that it breaks. */
  readonly rule: string
  readonly edits: readonly Edit[]
  /** The file and the test (a part of its full name) that must find it: the smallest that does. */
  readonly killer: readonly [spec: string, test: string]
}

/** `find` stands exactly once in the file. */
export interface Edit {
  /** Below `src/`. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

const edit = (file: string, find: string, replace: string): Edit => ({ file, find, replace })

const CLOCK_RULES = 'test/simulation/rules-clock.spec.ts'
const LOAD_RULES = 'test/simulation/rules-loads.spec.ts'
const WRITE_RULES = 'test/simulation/rules-writes.spec.ts'
const SIMULATION = 'test/simulation/simulation.spec.ts'
const TAG_CLOCK = 'src/cache/tag-clock.spec.ts'
const MEMORY_HUB = 'src/cache/stores/memory-hub.spec.ts'
const STORE_IN_MEMORY = 'test/contract/cache-store.memory.spec.ts'
const STORE_ON_REDIS = 'test/contract/cache-store.redis.spec.ts'
const REDIS_ONLY = 'test/contract/cache-store.redis-only.spec.ts'
const COHERENT_MAP = 'src/kernel/coherent-map.spec.ts'
const TRACKING = 'src/redis/tracking.spec.ts'

const SCRIPTS = 'redis/scripts.gen.ts'

const ALL: readonly Mutant[] = [
  {
    name: 'trimming leaves the floor',
    rule: 'R1',
    edits: [edit(SCRIPTS, `redis.call('ZADD', KEYS[1], 'GT', floor, '#f')`, `local nothing`)],
    killer: [STORE_ON_REDIS, 'beyond the most that are kept go'],
  },
  {
    name: 'trimming leaves the floor, in memory',
    rule: 'R1',
    edits: [edit('cache/stores/memory-clock.ts', `      this.f = mark\n`, ``)],
    killer: [MEMORY_HUB, 'names no tag whose mark was dropped'],
  },
  {
    name: 'a lost clock comes back with its generation',
    rule: 'R2',
    edits: [edit(SCRIPTS, `(tonumber(ARGV[1]) + time[1] * 1000000 + time[2]) % 2 ^ 44`, `5`)],
    killer: [STORE_ON_REDIS, 'is another one, never an old one'],
  },
  {
    name: 'generations are not compared',
    rule: 'R2',
    edits: [edit('cache/tag-clock.ts', `entry.g !== reading.g || `, ``)],
    killer: [WRITE_RULES, 'is seen by a process that knew the generation before'],
  },
  {
    name: 'S kept across #g',
    rule: 'R3',
    edits: [
      edit(
        'cache/tag-clock.ts',
        `if (reply.g !== this.g || reply.s === null || reply.full) {`,
        `if (reply.g !== this.g) {
          this.g = reply.g
          return { g: reply.g, tagsKnown: true }
        }
        if (reply.s === null || reply.full) {`,
      ),
    ],
    killer: [CLOCK_RULES, 'is not kept when the generation moves'],
  },
  {
    name: 'full delta accepted',
    rule: 'R3',
    edits: [edit('cache/tag-clock.ts', ` || reply.full) {`, `) {`)],
    killer: [CLOCK_RULES, 'is not taken from a delta that was cut'],
  },
  {
    name: 'foreign delta applied to another generation',
    rule: 'R3',
    edits: [edit('cache/tag-clock.ts', `if (since.g !== this.g || since.s > this.s) {`, `if (false) {`)],
    killer: [CLOCK_RULES, 'is not applied to another generation'],
  },
  {
    name: 'second base taken for a delta',
    rule: 'R3',
    edits: [edit('cache/tag-clock.ts', `tagsKnown: this.s === reply.s`, `tagsKnown: true`)],
    killer: [TAG_CLOCK, 'that comes second says nothing of the table'],
  },
  {
    name: 'S moved by own invalidation’s answer',
    rule: 'R3',
    edits: [
      edit(
        'cache/operations.ts',
        `await this.engine.invalidate(() => this.engine.store.bumpTags(tags, this.engine.options.maxTags))`,
        `await this.engine.invalidate(() => this.engine.store.bumpTags(tags, this.engine.options.maxTags))
        const own = await this.engine.store.tags(tags)
        ;(this.engine.reader as any).clock.learn(tags, own)
        ;(this.engine.reader as any).clock.s = own.s`,
      ),
    ],
    killer: [CLOCK_RULES, 'is not moved by the answer of its own invalidation'],
  },
  {
    name: 'late delta takes marks back',
    rule: 'R3',
    edits: [
      edit('cache/tag-clock.ts', `if (reply.s >= this.s) {`, `{`),
      edit('cache/tag-clock.ts', `if (known !== undefined && known >= seq) return`, ``),
      edit('cache/tag-clock.ts', `      this.s = reply.s\n`, `      if (reply.s > this.s) this.s = reply.s\n`),
    ],
    killer: [CLOCK_RULES, 'takes nothing back when a reply is handed on late'],
  },
  {
    name: 'delta names a tag twice, older mark last',
    rule: 'R3',
    edits: [edit('cache/stores/memory-clock.ts', `if (this.marks.get(tag) !== seq) continue`, ``)],
    killer: [STORE_IN_MEMORY, 'come in a delta each once'],
  },
  {
    name: 'ZMSCORE without #g',
    rule: 'R4',
    edits: [
      edit('cache/entry-reader.ts', `      entry.g,\n      entry.s,`, `      reply.g ?? entry.g,\n      entry.s,`),
    ],
    killer: [WRITE_RULES, 'between a read and the look-up of its tags'],
  },
  {
    name: 'ZMSCORE without #f',
    rule: 'R4',
    edits: [
      edit(
        'cache/entry-reader.ts',
        `      entry.tags.map((tag) => marks.get(tag)),\n      reply,`,
        `      entry.tags.map((tag) => marks.get(tag)),\n      { ...reply, f: 0 },`,
      ),
    ],
    killer: [CLOCK_RULES, 'of a tag whose mark was dropped judges by the floor'],
  },
  {
    name: 'nil entered in the table without #f',
    rule: 'R4',
    edits: [
      edit(
        'cache/tag-clock.ts',
        `reply.seqs[i] ?? reply.f)\n    if (reply.f > this.f) this.f = reply.f`,
        `reply.seqs[i] ?? 0)`,
      ),
      edit(
        'cache/tag-clock.ts',
        `this.adopt(reply.g, reply.s ?? 0, reply.f ?? 0)`,
        `this.adopt(reply.g, reply.s ?? 0, 0)`,
      ),
    ],
    killer: [CLOCK_RULES, 'of a tag whose mark was dropped judges by the floor'],
  },
  {
    name: 'older look-up enters the table',
    rule: 'R4',
    edits: [edit('cache/tag-clock.ts', `else if (reply.s < this.s) return`, ``)],
    killer: [TAG_CLOCK, 'older than S does not enter'],
  },
  {
    name: 'look-up joined after it was sent',
    rule: 'R4',
    edits: [
      edit(
        'cache/entry-reader.ts',
        `const reply = await store.tags(tags)`,
        `const underWay = ((store as any).underWay ??= new Map()) as Map<string, Promise<any>>
        const asked = tags.join()
        if (!underWay.has(asked)) underWay.set(asked, store.tags(tags).finally(() => underWay.delete(asked)))
        const reply = await underWay.get(asked)!`,
      ),
    ],
    killer: [CLOCK_RULES, 'is not shared once it was sent: who asks later'],
  },
  {
    name: 'epochs are not compared',
    rule: 'R5',
    edits: [edit('cache/tag-clock.ts', `entry.e !== epoch || `, ``)],
    killer: [TAG_CLOCK, 'is invalid with another epoch'],
  },
  {
    name: 'the floor is not looked at',
    rule: 'R5',
    edits: [edit('cache/tag-clock.ts', `if (entry.s < this.f) return 'invalid'`, ``)],
    killer: [TAG_CLOCK, 'raises the floor'],
  },
  {
    name: 'read joined after it was sent',
    rule: 'R6',
    edits: [
      edit(
        'cache/entry-reader.ts',
        `    return new Promise((answer, fail) => this.batch.add({ key, answer, fail, next: undefined }))`,
        `    const underWay = ((this as any).underWay ??= new Map()) as Map<string, Promise<Found>>
        let read = underWay.get(key)
        if (read === undefined) {
          read = new Promise<Found>((answer, fail) => this.batch.add({ key, answer, fail, next: undefined }))
          underWay.set(key, read)
          void read.finally(() => underWay.delete(key))
        }
        return read`,
      ),
    ],
    killer: [CLOCK_RULES, 'is shared while it is unsent, and not after'],
  },
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
    edits: [edit('cache/stores/memory-hub.ts', 'value: `${token}:${now}`', 'value: `${token}:0`')],
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
        'cache/loader.ts',
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
      edit('cache/loader.ts', `reaches(running, new Set(around))`, `false`),
    ],
    killer: [LOAD_RULES, 'is not asked for inside the own load of the key'],
  },
  {
    name: 'entry found by the lease shared with who came later',
    rule: 'R7',
    edits: [
      edit('cache/loader.ts', `if (joined.began > asked) joined.resolve(null)`, `if (false) joined.resolve(null)`),
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
    edits: [
      edit('cache/loader.ts', `    load.joinable = false\n    const answer`, `    const answer`),
      edit('cache/loader.ts', `    load.joined.push(...late)\n`, ``),
      edit('cache/loader.ts', `    load.joined.length = 0\n`, ``),
    ],
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
      edit('cache/loader.ts', `const wait = this.waiters.open(load.key)`, `let wait: any = { close: () => undefined }`),
      edit(
        'cache/loader.ts',
        `const claim = await this.leases.claim(load.key, LEASE_MS, leader.replaces)`,
        `const claim = await this.leases.claim(load.key, LEASE_MS, leader.replaces)
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
    name: 'delete in the wrong order',
    rule: 'R11',
    edits: [
      edit(
        'cache/stores/redis.ts',
        `command('DEL', [this.keyspace.lease(key)]), command('UNLINK', [this.keyspace.entry(key)])`,
        `command('UNLINK', [this.keyspace.entry(key)]), command('DEL', [this.keyspace.lease(key)])`,
      ),
    ],
    killer: [REDIS_ONLY, 'leaves nothing, whatever another client stores'],
  },
  {
    name: 'delete wakes nobody',
    rule: 'R11',
    edits: [
      edit(
        'cache/stores/memory-hub.ts',
        `    const was = this.remove(key)
    this.signal(key)`,
        `    const was = this.remove(key)`,
      ),
    ],
    killer: [WRITE_RULES, 'sends the waiters of a load that it refused'],
  },
  {
    name: 'set without notAfter',
    rule: 'R14',
    edits: [
      edit(
        SCRIPTS,
        `if now > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET'`,
        `redis.call('SET'`,
      ),
    ],
    killer: [REDIS_ONLY, 'is refused: its caller was told that it failed'],
  },
  {
    name: 'touch without notAfter',
    rule: 'R14',
    edits: [edit(SCRIPTS, `if not entry or now > tonumber(ARGV[1]) or `, `if not entry or `)],
    killer: [REDIS_ONLY, 'is refused: its caller was told that it failed'],
  },
  {
    name: 'set leaves the lease',
    rule: 'R14',
    edits: [
      edit(
        'cache/stores/memory.ts',
        `      this.space.dropLease(entry.key)
      this.space.store(entry.key`,
        `      this.space.store(entry.key`,
      ),
    ],
    killer: [WRITE_RULES, 'drops the lease of a load under way'],
  },
  {
    name: 'set sent again with a later reading',
    rule: 'R14',
    edits: [edit('cache/entry-writer.ts', `seen ?? (await this.current(again))`, `await this.current(again)`)],
    killer: [WRITE_RULES, 'loses against an invalidation between its two sendings'],
  },
  {
    name: 'set sent again leaves a gap below S',
    rule: 'R3',
    edits: [
      edit('cache/entry-writer.ts', `seen ?? (await this.current(again))`, `await this.current(again)`),
      edit('cache/tag-clock.ts', ` || since.s > this.s`, ``),
    ],
    killer: [WRITE_RULES, 'leaves no gap in what this process knows'],
  },
  {
    name: 'no ticket',
    rule: 'R17',
    edits: [edit('kernel/coherent-map.ts', ` && !ticket.dirty`, ``)],
    killer: [COHERENT_MAP, 'does not fill after a push of its key'],
  },
  {
    name: 'tickets before SUBSCRIBE',
    rule: 'R17',
    edits: [edit('redis/tracking-session.ts', `await connection.call('SUBSCRIBE'`, `void connection.call('SUBSCRIBE'`)],
    killer: [TRACKING, 'sends SUBSCRIBE only after TRACKING was answered'],
  },
  {
    name: 'hits without lease',
    rule: 'R18',
    edits: [edit('kernel/coherent-map.ts', `now - this.source.validFrom() < this.stalenessMs`, `true`)],
    killer: [COHERENT_MAP, 'ends hits exactly when the last proof is as old'],
  },
  {
    name: 'one validFrom',
    rule: 'R18',
    edits: [edit('redis/tracking.ts', `oldest = Math.min(oldest, session.validFrom)`, `oldest = session.validFrom`)],
    killer: [TRACKING, 'leaves everything as fresh as the session with the oldest proof'],
  },
  {
    name: 'proof from the PONG’s arrival',
    rule: 'R18',
    edits: [edit('redis/heartbeat.ts', `this.proven = sentAt`, `this.proven = this.clock.mono()`)],
    killer: [TRACKING, 'proves what was acknowledged before the PING was sent'],
  },
  {
    name: 'no epoch',
    rule: 'R20',
    edits: [edit('kernel/coherent-map.ts', ` && ticket.epoch === this.source.epoch`, ``)],
    killer: [COHERENT_MAP, 'does not fill in another epoch than its own'],
  },
]

/** These are found a second time, by the simulation: a simulation that finds nothing proves nothing. */
const BY_SIMULATION = ['joiner without clock', 'S kept across #g', 'fill without the lease compare, in memory']

export const MUTANTS: readonly Mutant[] = [
  ...ALL,
  ...ALL.filter(({ name }) => BY_SIMULATION.includes(name)).map((mutant): Mutant => ({
    ...mutant,
    name: `${mutant.name} (simulation)`,
    killer: [SIMULATION, 'was invalidated before the read began, from seed 1 on'],
  })),
]
