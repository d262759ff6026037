/**
 * A process of the race: its own cache on the shared Redis, made by the module as any application makes it. It does what its parent asks
 * over IPC, answers each question by number, and ends when the parent is gone.
 *
 * Its one argument is the JSON of a `WorkerOptions` of fleet.ts.
 */
import 'reflect-metadata'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Actor } from './actor.mjs'
import { settle, verify } from './at-rest.mjs'
import { Burst } from './burst.mjs'
import { FAMILIES } from './catalogue.mjs'
import { Database } from './database.mjs'
import { Follower } from './follow.mjs'
import { Judge } from './judge.mjs'
import { NaiveCache } from './naive-cache.mjs'
import { machineMs } from './machine-ms.mjs'
import { Origin, TTL_S } from './origin.mjs'
import { Own } from './own.mjs'
import { Seeded } from './seeded.mjs'
import { stampede } from './stampede.mjs'
import { Tally } from './tally.mjs'

const REPORT_MS = 200
/** Beside the users that read and write. */
const WATCHERS = 2

const options = JSON.parse(process.argv[2])
const tally = new Tally((event) => process.connected && process.send(event))
const database = options.databasePort === undefined ? null : new Database(options.databasePort, options.name)
const isNaive = options.mode === 'naive'
const { cache, close } = isNaive ? naive() : await vextrus()
const surroundings = {
  cache,
  database,
  tally,
  own: new Own(cache),
  near: nearness(options.l1),
  naive: isNaive,
  name: options.name,
}
let running = false
/** @type {Follower} */
let follower

const tasks = {
  /** Rounds of concurrent actors, until the parent says stop. */
  async race({ actors, seed, path }) {
    running = true
    const reporting = setInterval(() => tally.report(cache.getStatistics()), REPORT_MS)
    const run = async (number, watches) => {
      const random = new Seeded(Seeded.seedOf(seed, ...path, number))
      const actor = new Actor({ ...surroundings, random, watches, name: `${options.name}/${number}` })
      while (running) {
        if (!(await actor.round())) return
        if (!watches) tally.count('rounds')
      }
    }
    const watchers = isNaive ? 0 : WATCHERS
    await Promise.all(Array.from({ length: actors + watchers }, (_, number) => run(number, number >= actors)))
    clearInterval(reporting)
    tally.report(cache.getStatistics())
  },
  async stop() {
    running = false
  },
  /** A long calculation: see {@link Burst.afterBlocking}. */
  async block({ ms, seed }) {
    const judge = new Judge(surroundings)
    const all = { ...surroundings, judge, random: new Seeded(seed) }
    await new Burst({ ...all, origin: new Origin(all) }).afterBlocking(ms)
  },
  async die({ place }) {
    tally.dying = place
  },
  breakLocks: ({ owner }) => database.breakLocks(owner, [...FAMILIES.through, ...FAMILIES.duel]),
  settle: () => settle(surroundings),
  async verify() {
    await verify(surroundings)
    tally.report(cache.getStatistics())
  },
  stampede: (plan) => stampede(cache, plan),
  follow({ key }) {
    follower = new Follower(cache, key)
    return follower.follow()
  },
  lastFromMemory: () => follower.lastFromMemory,
  blockFollower: ({ ms }) => follower.block(ms),
  stopFollower: () => follower.stop(),
  delete: ({ key }) => cache.delete(key),
  /** When it had resolved, machine ms; null: it was refused. */
  async set({ key, value }) {
    try {
      await cache.set(key, value, { ttl: TTL_S, onUnavailable: 'throw' })
    } catch (error) {
      if (error?.code === 'CACHE_UNAVAILABLE') return null
      throw error
    }
    return machineMs()
  },
  async close() {
    await close()
    database?.close()
    setImmediate(() => process.disconnect())
  },
}

process.on('message', async ({ id, task, input }) => {
  try {
    process.send({ id, output: await tasks[task](input) })
  } catch (error) {
    process.send({ id, error: String(error?.stack ?? error) })
  }
})
process.on('disconnect', () => process.exit())
// A rejection that nobody handles is a defect of the toolkit or of the rig: it must not pass as silence.
process.on('unhandledRejection', (reason) =>
  tally.violation({ operation: 'unhandled rejection', saw: String(reason?.stack ?? reason) }),
)
process.send({ event: 'ready' })

async function vextrus() {
  const { RedisCacheModule, RedisCacheService } = await import(options.entry)
  class Process {}
  // Somebody injects the cache, as in any application: so the module connects at boot.
  const user = { provide: 'user', useFactory: (cache) => cache, inject: [RedisCacheService] }
  const redis = { ...options.redis, l1: options.l1, required: true }
  Module({ imports: [RedisCacheModule.forRoot(redis)], providers: [user] })(Process)
  const app = await NestFactory.createApplicationContext(Process, { logger: ['error', 'warn'], abortOnError: false })
  return { cache: app.get(RedisCacheService), close: () => app.close() }
}

function naive() {
  const cache = new NaiveCache(options.redis.port)
  return { cache, close: () => cache.close() }
}

/** How far a read may be behind, and how values are handed out, by the `l1` of the options. */
function nearness(l1) {
  const isBounded = !isNaive && typeof l1 === 'object'
  return {
    stalenessMs: isBounded && l1.staleness !== 'strict' ? l1.staleness : 0,
    values: isBounded ? l1.values : 'none',
  }
}
