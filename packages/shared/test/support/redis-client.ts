import { RedisConnection, type RedisConnectionOptions } from '../../src/redis/index.js'
import type { RedisCommand, RedisReply, UnitOutcome, UnitReplies } from '../../src/redis/topology.js'
import type { RedisUnavailableError } from '../../src/redis/errors.js'

/** A connection with a short deadline, and what it tells. */
export interface TestConnection {
  readonly connection: RedisConnection
  readonly logged: string[]
  /** Reasons of `onMoved`. */
  readonly moves: string[]
}

export function connection(options: RedisConnectionOptions): TestConnection {
  const logged: string[] = []
  const note =
    (level: string) =>
    (message: string): void =>
      void logged.push(`${level}: ${message}`)
  const logger = { warn: note('warn'), log: note('log'), debug: note('debug') }
  const made = new RedisConnection({ commandTimeout: 500, ...options }, { logger })
  const moves: string[] = []
  made.onMoved((reason) => moves.push(reason))
  return { connection: made, logged, moves }
}

/** One unit, and what became of it. */
export async function sent(
  to: RedisConnection,
  key: string,
  ...commands: readonly RedisCommand[]
): Promise<UnitOutcome> {
  const [outcome] = await to.exec([{ key, commands }])
  return outcome!
}

/** What became of a unit, which must have been answered. */
export function replies(outcome: UnitOutcome | undefined): UnitReplies {
  if (outcome === undefined || outcome instanceof Error) throw outcome ?? new Error('there is no outcome')
  return outcome
}

/** One unit, which must be answered. */
export async function answered(
  to: RedisConnection,
  key: string,
  ...commands: readonly RedisCommand[]
): Promise<UnitReplies> {
  return replies(await sent(to, key, ...commands))
}

/** The answer to one command. */
export async function reply(to: RedisConnection, key: string, command: RedisCommand): Promise<RedisReply> {
  const { replies: given } = await answered(to, key, command)
  return given[0]!
}

/** The error of an attempt that must fail. */
export function refusal(attempt: Promise<unknown>): Promise<RedisUnavailableError> {
  return attempt.then(
    () => Promise.reject(new Error('It was answered')),
    (error: RedisUnavailableError) => error,
  )
}
