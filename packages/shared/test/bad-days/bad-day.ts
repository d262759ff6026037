import { type RedisServer, type RedisServerOptions, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'
import { Fleet, type FleetOptions, type Member, TAG_CLOCK } from './fleet.js'
import { ModelDatabase } from './model.js'
import { Traffic } from './traffic.js'
import { type Overdue, Watchdog } from './watchdog.js'

export interface BadDayOptions {
  readonly server?: RedisServerOptions | undefined
  readonly fleet?: FleetOptions | undefined
  /** What goes wrong, and how it is put right; the traffic goes on meanwhile. */
  readonly fault: (scene: Scene) => Promise<void>
  /** The fault forgets the clock, and so the holds that stand in it. @default false */
  readonly losesHolds?: boolean
}

/** What a fault sees. */
export interface Scene {
  readonly server: RedisServer
  readonly members: readonly Member[]
  readonly traffic: Traffic
  /** Resolves when this many more answers have been judged: the users are not kept waiting. */
  served(answers: number): Promise<void>
  /** Resolves when each cache has answered from Redis again, so many times. */
  hits(each: number): Promise<void>
}

export interface BadDayReport {
  /** Stale answers, operations that never ended, errors that nobody promised. */
  readonly violations: readonly string[]
  readonly overdue: readonly Overdue[]
  /** Rejections and exceptions that nobody handled. */
  readonly unhandled: readonly string[]
  /** Keys of the toolkit's that never expire, but for the clock. */
  readonly keysWithoutTtl: readonly string[]
  /** Invalidations still owed. */
  readonly pending: number
  readonly judged: number
  readonly loads: number
  readonly acknowledged: Readonly<Record<string, number>>
  readonly refused: Readonly<Record<string, number>>
  readonly slowest: Readonly<Record<string, number>>
}

/** What every bad day must end with. */
export const NOTHING_WRONG = {
  violations: [],
  overdue: [],
  unhandled: [],
  keysWithoutTtl: [],
  pending: 0,
} as const satisfies Partial<BadDayReport>

/** Of a test: what hangs is told by the watchdog, and a busy machine is no failure. */
export const PATIENT = { timeout: 180_000 } as const

const PROCESSES = 3
const RECOVERY_MS = 60_000

/**
 * Three processes on one server, in traffic; something goes wrong and is put right; they recover, come to rest, and are compared with the
 * database.
 */
export async function badDay({
  server: settings,
  fleet: options,
  fault,
  losesHolds = false,
}: BadDayOptions): Promise<BadDayReport> {
  const unhandled: string[] = []
  const note = (error: unknown): void => void unhandled.push(error instanceof Error ? error.stack! : String(error))
  process.on('unhandledRejection', note)
  process.on('uncaughtException', note)
  const server = await startRedis(settings)
  const watchdog = new Watchdog()
  let fleet: Fleet | undefined
  try {
    fleet = await Fleet.on(server, PROCESSES, options)
    const traffic = new Traffic(fleet, new ModelDatabase(), watchdog, { seed: server.port, losesHolds })
    const scene = sceneOf(server, fleet, traffic)
    traffic.start()
    try {
      await scene.hits(50)
      await fault(scene)
      await scene.hits(50)
      await waitFor('nothing to be owed any more', () => fleet!.pending === 0, RECOVERY_MS)
    } finally {
      await traffic.stop()
    }
    // The last writes may have met the end of the fault.
    await waitFor('nothing to be owed at rest', () => fleet!.pending === 0, RECOVERY_MS)
    await traffic.verify()
    const { violations, judged, loads, acknowledged, refused } = traffic
    return {
      ...{ violations, judged, loads, acknowledged, refused, unhandled },
      overdue: watchdog.overdue,
      slowest: watchdog.slowest,
      pending: fleet.pending,
      keysWithoutTtl: await server.scanKeysWithoutTtl([TAG_CLOCK]),
    }
  } finally {
    watchdog.stop()
    await fleet?.close()
    await server.stop()
    process.off('unhandledRejection', note)
    process.off('uncaughtException', note)
  }
}

function sceneOf(server: RedisServer, { members }: Fleet, traffic: Traffic): Scene {
  return {
    ...{ server, members, traffic },
    async served(answers) {
      const enough = traffic.judged + answers
      await waitFor(`${answers} more answers`, () => traffic.judged >= enough, RECOVERY_MS)
    },
    async hits(each) {
      const hits = members.map(({ cache }) => cache.getStatistics().hits + each)
      await waitFor(
        `${each} more hits in each cache`,
        () => members.every(({ cache }, i) => cache.getStatistics().hits >= hits[i]!),
        RECOVERY_MS,
      )
    },
  }
}

/** How many calls that change something were refused: none means that the fault has hit nobody. */
export function refusals({ refused }: BadDayReport): number {
  return Object.values(refused).reduce((sum, count) => sum + count, 0)
}
