import type { Clock } from '../../kernel/clock.js'
import { globMatcher } from '../../kernel/glob.js'
import { growingLru } from '../../kernel/growing-lru.js'
import type { MemoryHub } from '../../kernel/memory-hub.js'
import {
  type Appended,
  type AppendOptions,
  type Claimed,
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

  /** @param keepMs for how long a log is kept that a group of consumers begins before its first message, and after the last claim of one */
  constructor(
    hub: MemoryHub,
    keyPrefix: string,
    private readonly keepMs = DAY_MS,
  ) {
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
    return this.space.logOf(channel)?.last ?? FIRST_ID
  }

  async claim(request: ClaimRequest): Promise<Claimed> {
    return this.space.claim(request, this.keepMs)
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
    const log = this.logOf(channel) ?? new Log()
    const known = messageId === undefined ? undefined : log.once.get(messageId)
    if (known !== undefined && known.until > now) return { id: known.id, fresh: false }
    const previous = log.last
    const id = this.nextId()
    log.messages.push({ id, body, at: now })
    log.trim(maxLength, now - keepMs)
    log.until = now + keepMs
    if (messageId !== undefined) log.once.set(messageId, { id, until: now + keepMs })
    this.put(channel, log)
    this.tell(channel, body, { id, previous })
    return { id, fresh: true }
  }

  read(channel: string, after: string, count: number): LogPart {
    const log = this.logOf(channel) ?? new Log()
    const start = log.indexAfter(after)
    const messages = log.messages.slice(start, start + count).map(({ id, body }) => ({ id, body }))
    const { last } = log
    const gap = after === FIRST_ID ? log.trimmed : start === 0 || (messages.length === 0 && last !== after)
    return { messages, gap, last }
  }

  claim({ channel, group: name, consumer, count, idleMs, from }: ClaimRequest, keepMs: number): Claimed {
    const now = this.clock.mono()
    const log = this.logOf(channel) ?? new Log()
    let group = log.groups.get(name)
    if (group === undefined) {
      log.groups.set(name, (group = { reached: from === 'now' ? log.last : from, pending: new Map() }))
    }
    if (idleMs !== undefined || log.until === 0) {
      log.until = Math.max(log.until, now + keepMs)
      log.trim(Infinity, now - keepMs)
    }
    this.put(channel, log)
    const left =
      idleMs === undefined ? { messages: [], gone: 0 } : leftBehind(log, group, { consumer, count, idleMs }, now)
    const room = count - left.messages.length - left.gone
    const start = log.indexAfter(group.reached)
    const missed = left.gone > 0 || (group.reached !== FIRST_ID && start === 0 && log.messages.length > 0)
    const fresh: ClaimedMessage[] = []
    for (const { id, body } of log.messages.slice(start, start + room)) {
      group.reached = id
      group.pending.set(id, { consumer, since: now, deliveries: 1 })
      fresh.push({ id, body, deliveries: 1 })
    }
    return { messages: [...left.messages, ...fresh], missed, more: count > 0 && fresh.length >= room }
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

  /** The logs stand in the order of their last use: those whose time is over come first, and go. */
  private put(channel: string, log: Log): void {
    this.logs.delete(channel)
    this.logs.set(channel, log)
    const now = this.clock.mono()
    for (const [name, { until }] of this.logs) {
      if (until > now) return
      this.logs.delete(name)
    }
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
  readonly once = growingLru<{ readonly id: string; readonly until: number }>(MOST_ONCE)
  /** Messages went because there were too many, or they were too old. */
  trimmed = false
  /** Monotonic ms. */
  until = 0

  get last(): string {
    return this.messages.at(-1)?.id ?? FIRST_ID
  }

  /** Where the first message after an id stands. */
  indexAfter(id: string): number {
    let [from, to] = [0, this.messages.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if (compareIds(this.messages[middle]!.id, id) > 0) to = middle
      else from = middle + 1
    }
    return from
  }

  message(id: string): LogMessage | undefined {
    const message = this.messages[this.indexAfter(id) - 1]
    return message?.id === id ? message : undefined
  }

  /** The last one stays, however old: the next one names it. */
  trim(maxLength: number, before: number): void {
    const young = this.messages.findIndex(({ at }) => at >= before)
    const old = young === -1 ? this.messages.length - 1 : young
    const gone = Math.max(0, this.messages.length - maxLength, old)
    if (gone === 0) return
    this.messages.splice(0, gone)
    this.trimmed = true
  }
}

interface Group {
  /** The last message that was handed out. */
  reached: string
  readonly pending: Map<string, { readonly consumer: string; readonly since: number; readonly deliveries: number }>
}

/** What nobody touched for `idleMs` goes to this consumer; what is not kept any more is `gone`. */
function leftBehind(
  log: Log,
  { pending }: Group,
  { consumer, count, idleMs }: { readonly consumer: string; readonly count: number; readonly idleMs: number },
  now: number,
): { readonly messages: ClaimedMessage[]; readonly gone: number } {
  const messages: ClaimedMessage[] = []
  let gone = 0
  for (const [id, { since, deliveries: before }] of pending) {
    if (messages.length + gone >= count) break
    if (now - since < idleMs) continue
    const message = log.message(id)
    if (message === undefined) {
      pending.delete(id)
      gone++
      continue
    }
    const deliveries = before + 1
    pending.set(id, { consumer, since: now, deliveries })
    messages.push({ id, body: message.body, deliveries })
  }
  return { messages, gone }
}
