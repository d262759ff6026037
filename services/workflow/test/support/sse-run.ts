import { readFileSync } from 'node:fs'
import { NestFactory } from '@nestjs/core'
import { percentile } from '@vextrus/service-kit'
import { RedisCacheModule } from '@vextrus/shared/cache'
import { PubSubUnavailableError, RedisPubSubService } from '@vextrus/shared/pubsub'
import type { RedisServer } from '../../../../packages/shared/test/support/redis-server.js'
import { tenantChannel, userChannel } from '../../src/notifications/channels.js'
import { headersOf, TENANT, until } from './service.js'
import { SseClient } from './sse-client.js'

/** How large a run of many browsers is. */
export interface SseRunSize {
  readonly clients: number
  readonly seconds: number
  /** To all clients together, each of them in its turn. */
  readonly messagesPerSecond: number
  readonly broadcastsPerSecond: number
  /** How often all connections of Redis are cut, and a tenth of the clients leaves and comes back. */
  readonly cuts: number
  /** Clients that read nothing. */
  readonly slow: number
}

export interface SseRunTarget {
  readonly url: string
  readonly redis: RedisServer
  /** Of the service, when it has a process of its own. */
  readonly pid?: number
  /** Beats at once, where it can be asked to: slow clients are found by beats. */
  readonly beat?: () => void
  readonly say?: (line: string) => void
}

export interface SseRunResult {
  readonly messages: number
  readonly broadcasts: number
  /** Events that came to clients. */
  readonly delivered: number
  readonly reconnects: number
  /** What came twice, too early or not at all. */
  readonly faults: readonly string[]
  readonly slowDropped: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of the service. Undefined: it has no process of its own. */
  readonly rssMb: { readonly before: number; readonly most: number } | undefined
}

/** Many browsers on one service: who comes back with its last id has every message once and in order. */
export async function runSse(target: SseRunTarget, size: SseRunSize): Promise<SseRunResult> {
  const run = new SseRun(target, size)
  const context = await NestFactory.createApplicationContext(
    RedisCacheModule.forRoot({ url: target.redis.url, pubsub: { maxLength: 10_000 }, commandTimeout: '10s' }),
    { logger: false },
  )
  try {
    return await run.complete(context.get(RedisPubSubService))
  } finally {
    run.close()
    await context.close()
  }
}

class SseRun {
  private readonly clients: Browser[] = []
  private readonly latencies: number[] = []
  private readonly faults: string[] = []
  private readonly tails = new Map<string, Promise<void>>()

  constructor(
    private readonly target: SseRunTarget,
    private readonly size: SseRunSize,
  ) {}

  async complete(messages: RedisPubSubService): Promise<SseRunResult> {
    const { say = () => undefined, pid } = this.target
    const { clients, seconds, cuts } = this.size
    for (let at = 0; at < clients; at++)
      this.clients.push(new Browser(this.target.url, `browser-${at}`, this.latencies, this.faults))
    for (let at = 0; at < clients; at += 50)
      await Promise.all(this.clients.slice(at, at + 50).map((each) => each.open()))
    const slow = await this.openSlow()
    const before = rssMb(pid)
    let most = before
    say(`${clients} clients are connected; the service has ${before} MB`)

    const started = performance.now()
    let [own, broadcasts, done, second] = [0, 0, 0, 0]
    for (;;) {
      const elapsed = (performance.now() - started) / 1_000
      const t = Math.min(elapsed, seconds)
      for (; own < Math.floor(t * this.size.messagesPerSecond); own++) this.tell(messages, own)
      for (; broadcasts < Math.floor(t * this.size.broadcastsPerSecond); broadcasts++) {
        this.send(messages, tenantChannel(TENANT), `all-${broadcasts}`, {
          type: 'all',
          seq: broadcasts,
          at: performance.now(),
        })
      }
      if (done < cuts && elapsed >= (seconds * (done + 1)) / (cuts + 1)) {
        done++
        say(`cut ${done}: all connections of Redis, and every tenth client`)
        await this.cut()
      }
      if (elapsed >= second + 1) {
        second++
        most = Math.max(most ?? 0, rssMb(pid) ?? 0)
        say(`${second} s: ${own} messages and ${broadcasts} broadcasts sent, ${this.delivered} delivered, ${most} MB`)
      }
      if (elapsed >= seconds) break
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await Promise.all(this.tails.values())
    const expected = (at: number) => Math.floor(own / clients) + (at < own % clients ? 1 : 0)
    const missing = () => this.clients.filter((each, at) => each.own !== expected(at) || each.all !== broadcasts)
    try {
      await until('everybody has everything', () => missing().length === 0, 60_000)
    } catch {
      for (const each of missing().slice(0, 10))
        this.faults.push(`${each.user} has ${each.own} and ${each.all} in the end`)
    }
    const slowDropped = await this.flood(messages, slow)
    most = most === undefined ? undefined : Math.max(most, rssMb(pid) ?? 0)
    return {
      messages: own,
      broadcasts,
      delivered: this.delivered,
      reconnects: this.clients.reduce((sum, { reconnects }) => sum + reconnects, 0),
      faults: this.faults,
      slowDropped,
      p50Ms: percentile(
        this.latencies.toSorted((a, b) => a - b),
        50,
      ),
      p99Ms: percentile(
        this.latencies.toSorted((a, b) => a - b),
        99,
      ),
      rssMb: before === undefined || most === undefined ? undefined : { before, most },
    }
  }

  close(): void {
    for (const client of this.clients) client.close()
  }

  private get delivered(): number {
    return this.clients.reduce((sum, { own, all }) => sum + own + all, 0)
  }

  private tell(messages: RedisPubSubService, number: number): void {
    const { clients } = this.size
    const [at, seq] = [number % clients, Math.floor(number / clients)]
    this.send(messages, userChannel(TENANT, `browser-${at}`), `own-${number}`, {
      type: 'own',
      seq,
      at: performance.now(),
    })
  }

  /** In the order of each channel, and again until it is in the log: by its id it is there once. */
  private send(messages: RedisPubSubService, channel: string, messageId: string, message: object): void {
    const publish = async (): Promise<void> => {
      try {
        await messages.publish(channel, message, { durable: true, messageId })
      } catch (error) {
        if (!(error instanceof PubSubUnavailableError)) throw error
        await new Promise((resolve) => setTimeout(resolve, 50))
        await publish()
      }
    }
    this.tails.set(channel, (this.tails.get(channel) ?? Promise.resolve()).then(publish))
  }

  private async cut(): Promise<void> {
    for (const [at, client] of this.clients.entries()) if (at % 10 === 0) client.leave()
    for (const type of ['pubsub', 'normal']) await this.target.redis.command('CLIENT', 'KILL', 'TYPE', type)
  }

  private openSlow(): Promise<SseClient[]> {
    const users = Array.from({ length: this.size.slow }, (_, at) => `slow-${at}`)
    return Promise.all(
      users.map(async (user) => {
        const client = await SseClient.open(`${this.target.url}/notifications`, headersOf({ user }))
        client.pause()
        return client
      }),
    )
  }

  /** Tells the slow ones more than all buffers hold. Answers how many were dropped. */
  private async flood(messages: RedisPubSubService, slow: readonly SseClient[]): Promise<number> {
    const dropped = async () => {
      const answer = await fetch(`${this.target.url}/health/notifications`)
      return ((await answer.json()) as { ended: { slow: number } }).ended.slow
    }
    const text = 'x'.repeat(60_000)
    for (let round = 0; round < 60 && (await dropped()) < slow.length; round++) {
      this.target.beat?.()
      for (let each = 0; each < 10; each++) {
        const sent = slow.map((_, at) =>
          messages.publish(userChannel(TENANT, `slow-${at}`), { type: 'own', text }, { durable: true }),
        )
        await Promise.all(sent)
      }
    }
    try {
      await until('the slow ones are dropped', async () => (await dropped()) >= slow.length)
    } catch {
      this.faults.push('slow clients were not dropped')
    }
    const count = await dropped()
    for (const client of slow) client.close()
    return count
  }
}

/** Comes back whenever it is cut off, with the last id that it has. */
class Browser {
  own = 0
  all = 0
  reconnects = -1
  private client: SseClient | undefined
  private lastEventId: string | undefined
  private closed = false

  constructor(
    private readonly url: string,
    readonly user: string,
    private readonly latencies: number[],
    private readonly faults: string[],
  ) {}

  async open(): Promise<void> {
    if (this.closed) return
    try {
      const client = await SseClient.open(
        `${this.url}/notifications`,
        headersOf({ user: this.user }),
        this.lastEventId,
        (event) => {
          const { seq, at } = event.data as { seq: number; at: number }
          this.latencies.push(performance.now() - at)
          const log = event.type === 'own' ? 'own' : 'all'
          if (event.type !== log || seq !== this[log])
            this.faults.push(`${this.user}: ${event.type} ${seq} after ${this[log] - 1}`)
          this[log]++
        },
      )
      if (client.status !== 200) throw new Error(`HTTP ${client.status}`)
      this.reconnects++
      this.client = client
      client.response.once('close', () => {
        this.lastEventId = client.lastEventId ?? this.lastEventId
        this.later()
      })
    } catch {
      this.later()
    }
  }

  leave(): void {
    this.client?.close()
  }

  close(): void {
    this.closed = true
    this.client?.close()
  }

  private later(): void {
    if (!this.closed) setTimeout(() => void this.open(), 100)
  }
}

/** Of Linux; elsewhere nobody measures. */
function rssMb(pid: number | undefined): number | undefined {
  if (pid === undefined || process.platform !== 'linux') return undefined
  const [, kb = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kb) / 1_024)
}
