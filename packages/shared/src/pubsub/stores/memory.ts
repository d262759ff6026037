import { LRUCache } from 'lru-cache'
import type { Clock } from '../../kernel/clock.js'
import { globMatcher } from '../../kernel/glob.js'
import type { MemoryHub } from '../../kernel/memory-hub.js'
import {
  type Appended,
  type AppendOptions,
  type ClaimedMessage,
  type ClaimRequest,
  compareIds,
  FIRST_ID,
  type GroupMember,
  type ListenTarget,
  type LogMessage,
  type LogPart,
  type LogPlace,
  type PubSubListener,
  type PubSubStore,
} from '../pubsub-store.js'

/** The port in process, on what modules of one `MemoryHub` share. */
export class MemoryPubSubStore implements PubSubStore {
  private readonly space: MemoryMessages

  constructor(hub: MemoryHub, keyPrefix: string) {
    this.space = hub.part('pubsub', keyPrefix, ({ clock }) => new MemoryMessages(clock))
  }

  async publish(channel: string, body: string): Promise<void> {
    this.space.tell(channel, body, null)
  }

  async append(channel: string, body: string, options: AppendOptions): Promise<Appended> {
    return this.space.append(channel, body, options)
  }

  async read(channel: string, after: string, count: number): Promise<LogPart> {
    return this.space.read(channel, after, count)
  }

  async last(channel: string): Promise<string> {
    return this.space.logOf(channel)?.messages.at(-1)?.id ?? FIRST_ID
  }

  async claim(request: ClaimRequest): Promise<readonly ClaimedMessage[]> {
    return this.space.claim(request)
  }

  async keep(member: GroupMember, ids: readonly string[]): Promise<readonly string[]> {
    return this.space.keep(member, ids)
  }

  async done({ channel, group }: GroupMember, ids: readonly string[]): Promise<void> {
    const pending = this.space.logOf(channel)?.groups.get(group)?.pending
    for (const id of ids) pending?.delete(id)
  }

  async listen(target: ListenTarget, listener: PubSubListener): Promise<() => void> {
    return this.space.listen(target, listener)
  }
}

/** The messages under one prefix. Every method is one atomic step. */
class MemoryMessages {
  private readonly logs = new Map<string, Log>()
  private readonly listeners = new Set<{
    readonly hears: (channel: string) => boolean
    readonly listener: PubSubListener
  }>()
  private lastId = { ms: 0, count: 0 }

  constructor(private readonly clock: Clock) {}

  tell(channel: string, body: string, place: LogPlace | null): void {
    for (const { hears, listener } of this.listeners) if (hears(channel)) listener.message(channel, body, place)
  }

  append(channel: string, body: string, { maxLength, keepMs, messageId }: AppendOptions): Appended {
    const now = this.clock.mono()
    const log = this.logOf(channel) ?? new Log(keepMs)
    const known = messageId === undefined ? undefined : log.once.get(messageId)
    if (known !== undefined && known.until > now) return { id: known.id, fresh: false }
    const previous = log.messages.at(-1)?.id ?? FIRST_ID
    const id = this.nextId()
    log.messages.push({ id, body, at: now })
    log.trim(maxLength, now - keepMs)
    log.until = now + keepMs
    if (messageId !== undefined) log.once.set(messageId, { id, until: now + keepMs })
    this.logs.set(channel, log)
    this.tell(channel, body, { id, previous })
    return { id, fresh: true }
  }

  read(channel: string, after: string, count: number): LogPart {
    const messages = this.logOf(channel)?.messages ?? []
    const start = messages.findIndex(({ id }) => compareIds(id, after) > 0)
    const before = start === -1 ? messages.length : start
    return {
      messages: start === -1 ? [] : messages.slice(start, start + count).map(({ id, body }) => ({ id, body })),
      gap: after !== FIRST_ID && before === 0,
    }
  }

  claim({ channel, group: name, consumer, count, idleMs, from }: ClaimRequest): ClaimedMessage[] {
    const now = this.clock.mono()
    const log = this.logOf(channel) ?? new Log(DAY_MS, now)
    this.logs.set(channel, log)
    let group = log.groups.get(name)
    if (group === undefined) {
      const last = from === 'now' ? (log.messages.at(-1)?.id ?? FIRST_ID) : from
      log.groups.set(name, (group = { last, pending: new Map() }))
    }
    const claimed: ClaimedMessage[] = []
    for (const [id, pending] of group.pending) {
      if (claimed.length === count) return claimed
      if (now - pending.since < idleMs) continue
      const message = log.messages.find((each) => each.id === id)
      if (message === undefined) {
        group.pending.delete(id)
        continue
      }
      group.pending.set(id, { consumer, since: now, deliveries: pending.deliveries + 1 })
      claimed.push({ id, body: message.body, deliveries: pending.deliveries + 1 })
    }
    for (const { id, body } of this.read(channel, group.last, count - claimed.length).messages) {
      group.last = id
      group.pending.set(id, { consumer, since: now, deliveries: 1 })
      claimed.push({ id, body, deliveries: 1 })
    }
    return claimed
  }

  keep({ channel, group, consumer }: GroupMember, ids: readonly string[]): string[] {
    const pending = this.logOf(channel)?.groups.get(group)?.pending
    return ids.filter((id) => {
      const mine = pending?.get(id)
      if (mine?.consumer !== consumer) return false
      pending!.set(id, { ...mine, since: this.clock.mono() })
      return true
    })
  }

  listen(target: ListenTarget, listener: PubSubListener): () => void {
    const hears = 'channel' in target ? (channel: string) => channel === target.channel : globMatcher(target.pattern)
    const member = { hears, listener }
    this.listeners.add(member)
    return () => void this.listeners.delete(member)
  }

  /** Undefined: nothing was appended in its time. */
  logOf(channel: string): Log | undefined {
    const log = this.logs.get(channel)
    if (log === undefined || log.until > this.clock.mono()) return log
    this.logs.delete(channel)
    return undefined
  }

  private nextId(): string {
    const ms = Math.floor(this.clock.wall())
    this.lastId = ms > this.lastId.ms ? { ms, count: 0 } : { ms: this.lastId.ms, count: this.lastId.count + 1 }
    return `${this.lastId.ms}-${this.lastId.count}`
  }
}

const DAY_MS = 86_400_000
/** Ids of messages that one log remembers. */
const MOST_ONCE = 100_000

class Log {
  readonly messages: (LogMessage & { readonly at: number })[] = []
  readonly groups = new Map<string, Group>()
  readonly once = new LRUCache<string, { readonly id: string; readonly until: number }>({ max: MOST_ONCE })
  /** Monotonic ms. */
  until: number

  constructor(keepMs: number, now = 0) {
    this.until = now + keepMs
  }

  trim(maxLength: number, before: number): void {
    const old = this.messages.findIndex(({ at }) => at >= before)
    const gone = Math.max(0, this.messages.length - maxLength, old)
    if (gone > 0) this.messages.splice(0, gone)
  }
}

interface Group {
  /** The last message that was handed out. */
  last: string
  readonly pending: Map<string, { readonly consumer: string; readonly since: number; readonly deliveries: number }>
}
