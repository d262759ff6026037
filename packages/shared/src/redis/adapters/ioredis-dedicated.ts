import type { Clock } from '../../kernel/clock.js'
import type { DedicatedConnection, DedicatedOptions } from '../client.js'
import { RedisReplyError, RedisUnavailableError } from '../errors.js'
import type { RedisArg, RedisReply } from '../topology.js'
import type { IoredisClient } from './ioredis-client.js'
import { isReplyError } from './wire-command.js'

/**
 * One more connection to the server of a client: RESP2, because ioredis drops the pushes that RESP3 sends for tracking, and one-shot: it
 * neither reconnects nor subscribes again, so what it heard has no hidden gaps.
 * @param there options of the address, where the client's own do not say it
 */
export function openDedicated(
  parent: IoredisClient,
  id: string,
  clock: Clock,
  { name, connectTimeoutMs }: DedicatedOptions,
  there: object = {},
): Promise<DedicatedConnection> {
  const client = parent.duplicate({
    ...ONE_SHOT,
    ...there,
    connectionName: name,
    connectTimeout: connectTimeoutMs,
  })
  return new Promise((resolve, reject) => {
    let failure: Error | undefined
    client.on('error', (error) => {
      failure = isReplyError(error) ? new RedisReplyError(error.message) : error
    })
    const giveUp = (cause: Error | undefined): void => {
      reject(new RedisUnavailableError(id, 'not-connected', { cause }))
    }
    const timer = clock.timer(connectTimeoutMs, () => {
      client.disconnect()
      client.stream?.destroy()
      giveUp(new Error(`no connection within ${connectTimeoutMs} ms`))
    })
    client.on('ready', () => {
      timer.cancel()
      resolve(new IoredisDedicated(client, id, () => failure))
    })
    client.on('end', () => {
      timer.cancel()
      giveUp(failure)
    })
    // The events say it all; the promise would only say it again.
    client.connect().catch(() => undefined)
  })
}

/** Overrides whatever the parent was made with. */
const ONE_SHOT = {
  lazyConnect: true,
  protocol: 2,
  replyMapping: 'legacy',
  retryStrategy: null,
  reconnectOnError: null,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  enableAutoPipelining: false,
  commandTimeout: undefined,
  stringNumbers: false,
  monitor: false,
  keyPrefix: '',
}

const MOVED = 'MOVED the slot of the channel is served elsewhere'

class IoredisDedicated implements DedicatedConnection {
  private closedByUs = false
  private ended = false
  /** Calls of SSUBSCRIBE under way. */
  private readonly subscribing = new Set<(refusal: RedisReplyError) => void>()

  constructor(
    private readonly client: IoredisClient,
    private readonly id: string,
    private readonly failure: () => Error | undefined,
  ) {
    client.on('end', () => {
      this.ended = true
    })
    // The server has ended a subscription of a sharded channel, whose slot went elsewhere, or refuses one: what was subscribed here has to be
    // looked at anew. ioredis 5 settles the refused command never.
    client.on('moved', () => {
      for (const refuse of this.subscribing) refuse(new RedisReplyError(MOVED))
      client.disconnect()
    })
    // ioredis 5 takes that for an answer to a question that nobody asked. From then on it can't be said which answer is whose.
    client.on('error', (error) => {
      if (!isReplyError(error)) client.disconnect()
    })
  }

  async call(name: string, args: readonly RedisArg[]): Promise<RedisReply> {
    try {
      // Lower case: ioredis knows by the name that SUBSCRIBE answers differently.
      const command = name.toLowerCase()
      const answer = this.client.call(command, ...args) as Promise<RedisReply>
      return await (command === 'ssubscribe' ? this.unlessMoved(answer) : answer)
    } catch (cause) {
      if (!(cause instanceof Error) || cause instanceof RedisReplyError) throw cause
      if (isReplyError(cause)) throw new RedisReplyError(cause.message)
      throw new RedisUnavailableError(this.id, 'lost', { cause: this.failure() ?? cause })
    }
  }

  private async unlessMoved(answer: Promise<RedisReply>): Promise<RedisReply> {
    let refuse: (refusal: RedisReplyError) => void = () => undefined
    const moved = new Promise<never>((_, reject) => (refuse = reject))
    this.subscribing.add(refuse)
    try {
      return await Promise.race([answer, moved])
    } finally {
      this.subscribing.delete(refuse)
    }
  }

  onMessage(listener: (channel: string, payload: Buffer | Buffer[] | null, pattern: string | null) => void): void {
    const plain = (channel: Buffer, payload: Buffer | Buffer[] | null): void => {
      listener(channel.toString(), payload, null)
    }
    this.client.on('messageBuffer', plain)
    this.client.on('smessageBuffer', plain)
    this.client.on('pmessageBuffer', (pattern: Buffer | string, channel: Buffer, payload: Buffer | Buffer[] | null) => {
      listener(channel.toString(), payload, pattern.toString())
    })
  }

  onClose(listener: (cause: Error | null) => void): void {
    const tell = (): void => listener(this.closedByUs ? null : (this.failure() ?? new Error('Connection closed')))
    if (this.ended) queueMicrotask(tell)
    else this.client.on('end', tell)
  }

  close(): void {
    this.closedByUs = true
    this.client.disconnect()
    // A server that does not answer does not answer our FIN either.
    this.client.stream?.destroy()
  }
}
