import { TickBatch } from '../../kernel/batch.js'
import { type Clock, systemClock } from '../../kernel/clock.js'
import { type RandomSource, systemRandom } from '../../kernel/random.js'
import type { RedisConnection } from '../../redis/connection.js'
import { RedisReplyError, RedisUnavailableError } from '../../redis/errors.js'
import type { Keyspace } from '../../redis/keyspace.js'
import { NewsSubscriber } from '../../redis/news-subscriber.js'
import { Patience } from '../../redis/patience.js'
import { command, type RedisCommand, type Script, scriptCommand } from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'
import { sharesOf } from '../../redis/shares.js'
import type { RedisArg, RedisReply, Shard, Topology, Unit } from '../../redis/topology.js'
import { failureOf, isUnsent } from '../../redis/unit-failure.js'
import { RateLimitUnavailableError } from '../errors.js'
import type {
  Counter,
  CounterReply,
  CounterSpec,
  Demand,
  HitReply,
  HitRequest,
  News,
  NewsListener,
  Place,
  RateLimitAlgorithm,
  RateLimitStore,
} from '../rate-limit-store.js'

/** What a {@link RedisRateLimitStore} takes beside its connection. */
export interface RedisRateLimitStoreOptions {
  /** How long an answer is waited for, ms. */
  readonly timeoutMs: number
  /** Told, once an outage, why news of other processes can't be heard. */
  readonly warn: (message: string) => void
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
}

/**
 * Demands of a tick that leave in one write, and that one run of the script serves: as long as nobody else notices. With more in a write the client
 * would wait while the server works, and the server while the client does.
 */
const MOST_IN_ONE = 50

/**
 * The port on Redis: each method is one script on keys of one slot. The demands of a tick, and while others are under way those of all sockets
 * that are read in it, are served by one run of their script, on a Cluster by
 * one for each slot.
 */
export class RedisRateLimitStore implements RateLimitStore {
  private readonly calls = new TickBatch<Call>((calls) => this.flush(calls), {
    max: MOST_IN_ONE,
    // Each request of a server is a tick of its own: together they cost Redis a third, and the process half.
    patient: true,
  })
  private readonly patience: Patience
  private readonly news: NewsSubscriber

  /** @param door where the connection of the news is opened */
  constructor(
    private readonly topology: Topology,
    door: RedisConnection['door'],
    private readonly keyspace: Keyspace,
    { timeoutMs, warn, clock = systemClock, random = systemRandom }: RedisRateLimitStoreOptions,
  ) {
    this.patience = new Patience(topology, clock, timeoutMs)
    this.news = new NewsSubscriber({
      door,
      clock,
      random,
      name: 'vextrus-limits',
      unheard: 'refunds of other processes are not heard, so refusals are not remembered',
      warn,
    })
  }

  take(demand: Demand): Promise<readonly CounterReply[]> {
    return this.judge(demand, true)
  }

  peek(demand: Demand): Promise<readonly CounterReply[]> {
    return this.judge(demand, false)
  }

  async refund(demand: Demand): Promise<void> {
    const { limitNews, limits } = this.keyspace
    const args = demand.flatMap(({ spec, cost }) => [...wordsOf(spec), cost])
    await this.run(SCRIPTS.rateLimitRefund, this.keysOf(demand), [limitNews, limits.length, ...args])
  }

  async reset(counters: readonly Pick<Counter, 'id'>[]): Promise<void> {
    const { limitNews, limits } = this.keyspace
    await this.run(SCRIPTS.rateLimitReset, this.keysOf(counters), [limitNews, limits.length])
  }

  async hit({ id, by, windowMs, limit = -1, blockMs = 0 }: HitRequest): Promise<HitReply> {
    const reply = await this.run(SCRIPTS.rateLimitHit, [this.keyspace.limits + id], [by, windowMs, limit, blockMs])
    const [hits, resetMs, blockedMs] = reply as [number, number, number]
    return { hits, resetMs, blockedMs }
  }

  async enter({ id, token }: Place, limit: number, ttlMs: number): Promise<boolean> {
    return (await this.run(SCRIPTS.rateLimitEnter, [this.keyspace.limits + id], [token, limit, ttlMs])) === 1
  }

  async leave({ id, token }: Place): Promise<void> {
    const key = this.keyspace.limits + id
    await this.send(key, command('ZREM', [key, token]))
  }

  async seen(process: string, withinMs: number): Promise<number> {
    return (await this.run(SCRIPTS.rateLimitSeen, [this.keyspace.limitProcesses], [process, withinMs])) as number
  }

  async announce(news: News): Promise<void> {
    const { limitNews } = this.keyspace
    await this.send(limitNews, command('PUBLISH', [limitNews, textOf(news)]))
  }

  async listen(listener: NewsListener): Promise<() => void> {
    try {
      return await this.news.subscribe(this.keyspace.limitNews, {
        message: (payload) => listener.news(newsOf(payload.toString())),
        lost: () => listener.deaf(),
        gap: () => listener.heard(),
      })
    } catch (error) {
      throw unavailable(error)
    }
  }

  /** Ends the connection of the news. */
  close(): void {
    this.news.close()
    this.patience.close()
  }

  private keysOf(counters: readonly Pick<Counter, 'id'>[]): string[] {
    return counters.map(({ id }) => this.keyspace.limits + id)
  }

  private judge(demand: Demand, spend: boolean): Promise<readonly CounterReply[]> {
    return new Promise((resolve, reject) => this.calls.add({ demand, spend, resolve, reject }))
  }

  private async run(script: Script, keys: readonly string[], args: readonly RedisArg[]): Promise<RedisReply> {
    return this.send(keys[0]!, scriptCommand(script, keys, args))
  }

  private async send(key: string, asked: RedisCommand): Promise<RedisReply> {
    try {
      const [outcome] = await this.patience.exec(this.topology.shardOf(key), [{ key, commands: [asked] }])
      return repliesOf(outcome!)[0]!
    } catch (error) {
      throw unavailable(error)
    }
  }

  private async flush(calls: readonly Call[]): Promise<void> {
    const shares = sharesOf(this.topology, calls, ({ demand }) => this.keyspace.limits + demand[0]!.id)
    await Promise.all([...shares].map(([shard, share]) => this.sendShare(shard, share)))
  }

  private async sendShare(shard: Shard | undefined, calls: readonly Call[]): Promise<void> {
    const runs = this.runsOf(calls)
    try {
      const outcomes = await this.patience.exec(
        shard,
        runs.map((run) => this.unitOf(run)),
      )
      runs.forEach((run, i) => answer(run, outcomes[i]!))
    } catch (error) {
      const cause = unavailable(error)
      for (const { reject } of calls) reject(cause)
    }
  }

  /** What one run of the script serves: of one kind, and on a Cluster of one slot. */
  private runsOf(calls: readonly Call[]): Call[][] {
    const open = new Map<string, Call[]>()
    for (const call of calls) {
      const name = `${call.spend ? 1 : 0}${this.topology.sharded ? call.demand[0]!.home : ''}`
      const run = open.get(name)
      if (run === undefined) open.set(name, [call])
      else run.push(call)
    }
    return [...open.values()]
  }

  private unitOf(calls: readonly Call[]): Unit {
    const { limits } = this.keyspace
    const keys: string[] = []
    const specs = new Map<CounterSpec, number>()
    const rows: number[] = []
    let first = 0
    for (const [i, { demand }] of calls.entries()) {
      for (const { id } of demand) keys.push(limits + id)
      if (i + 1 < calls.length && asksAlike(demand, calls[i + 1]!.demand)) continue
      rows.push(i + 1 - first, demand.length)
      first = i + 1
      for (const { spec, cost, most } of demand) {
        if (!specs.has(spec)) specs.set(spec, specs.size + 1)
        rows.push(specs.get(spec)!, cost, most)
      }
    }
    const words = [...specs.keys()].flatMap(wordsOf)
    const args = [calls[0]!.spend ? 1 : 0, specs.size, ...words, ...rows]
    return { key: keys[0]!, commands: [scriptCommand(SCRIPTS.rateLimitTake, keys, args)] }
  }
}

interface Call {
  readonly demand: Demand
  readonly spend: boolean
  readonly resolve: (replies: readonly CounterReply[]) => void
  readonly reject: (error: unknown) => void
}

/** What `lua/include/counting.lua` knows algorithms by. */
const KINDS: Readonly<Record<RateLimitAlgorithm, string>> = {
  'token-bucket': 'b',
  'sliding-window': 's',
  'fixed-window': 'f',
}

function wordsOf({ algorithm, limit, burst, window, tickUs }: CounterSpec): RedisArg[] {
  return [KINDS[algorithm], limit, burst, window, tickUs]
}

/** The same of other counters: requests with the same rules, which are told once. */
function asksAlike(one: Demand, other: Demand): boolean {
  return (
    one.length === other.length &&
    one.every(({ spec, cost, most }, i) => {
      const its = other[i]!
      return spec === its.spec && cost === its.cost && most === its.most
    })
  )
}

function answer(calls: readonly Call[], outcome: Parameters<typeof failureOf>[0]): void {
  const failure = failureOf(outcome)
  if (failure !== undefined) {
    const cause = unavailable(failure)
    for (const { reject } of calls) reject(cause)
    return
  }
  const numbers = repliesOf(outcome)[0] as number[]
  let place = 0
  for (const { demand, resolve } of calls) {
    const replies: CounterReply[] = []
    for (let i = 0; i < demand.length; i++, place += 4) {
      replies.push({
        granted: numbers[place]!,
        remaining: numbers[place + 1]!,
        retryUs: numbers[place + 2]!,
        resetUs: numbers[place + 3]!,
      })
    }
    resolve(replies)
  }
}

/** @throws RedisUnavailableError, RedisReplyError */
function repliesOf(outcome: Parameters<typeof failureOf>[0]): readonly RedisReply[] {
  if (outcome instanceof RedisUnavailableError) throw outcome
  const failure = failureOf(outcome)
  if (failure !== undefined) throw failure
  return outcome.replies
}

/** What callers are told: what the connection says of a call; anything else is a defect, which they get as it is, and none of them waits for ever. */
function unavailable(error: unknown): unknown {
  if (!(error instanceof RedisUnavailableError || error instanceof RedisReplyError)) return error
  const mend = error instanceof RedisUnavailableError && error.reason === 'deadline' ? ' (rateLimit.timeout)' : ''
  return new RateLimitUnavailableError(`${error.message}${mend}`, { cause: error, unsent: isUnsent(error) })
}

function textOf(news: News): string {
  return news.type === 'counter' ? `c${news.id}` : `p${news.tenant}`
}

function newsOf(text: string): News {
  return text.startsWith('c') ? { type: 'counter', id: text.slice(1) } : { type: 'plan', tenant: text.slice(1) }
}
