/**
 * The port: what messages need from storage. Channels tell those who listen now and keep nothing; the log of a channel keeps messages for a time,
 * each under an id that grows. Each method is one atomic step in the store.
 *
 * What it leaves out is what a message is, handlers and their failures, and what is done when some were missed: they are the engine's.
 */
export interface PubSubStore {
  /** Tells those who listen now. @throws PubSubUnavailableError nobody may have been told, or all, unless the error is `unsent` */
  publish(channel: string, body: string): Promise<void>
  /** Keeps a message in the channel's log, and tells those who listen now, in the order of the log. @throws PubSubUnavailableError */
  append(channel: string, body: string, options: AppendOptions): Promise<Appended>
  /** Messages of the log after an id, oldest first, `count` at most. @throws PubSubUnavailableError */
  read(channel: string, after: string, count: number): Promise<LogPart>
  /** The id of the last message of the log; {@link FIRST_ID} when there is none. @throws PubSubUnavailableError */
  last(channel: string): Promise<string>
  /**
   * Messages for one consumer of a group, each of which only one consumer has: those that nobody had before; and first, with `idleMs`, those that
   * another (or this one) had for so long without {@link PubSubStore.done}. The group begins with its first claim, after `from`. With `idleMs` the
   * log and the group also stay for another while, and what is older than that goes.
   * @throws PubSubUnavailableError
   */
  claim(request: ClaimRequest): Promise<Claimed>
  /** The consumer is still at work on them: their `idleMs` begins anew. Answers those that it still has. @throws PubSubUnavailableError */
  keep(member: GroupMember, ids: readonly string[]): Promise<readonly string[]>
  /** No consumer gets them any more. @throws PubSubUnavailableError */
  done(member: GroupMember, ids: readonly string[]): Promise<void>
  /**
   * Tells of messages from now on. Resolves once all from now on will come.
   * @throws PubSubUnavailableError it can't be told now
   */
  listen(target: ListenTarget, listener: PubSubListener): Promise<() => void>
}

/** Before every message of a log. */
export const FIRST_ID = '0-0'

/** What to listen to: a channel, or all whose names a glob matches. */
export type ListenTarget = { readonly channel: string } | { readonly pattern: string }

/** What a store tells of the channels that it was asked to listen to. */
export interface PubSubListener {
  /** @param place in the channel's log; null: it is in none */
  message(channel: string, body: string, place: LogPlace | null): void
  /** Messages from now on may be missed, until {@link PubSubListener.heard}. */
  lost(): void
  /** All messages from now on will come; those since {@link PubSubListener.lost} may be missing. */
  heard(): void
}

/** Where a message stands in a log. */
export interface LogPlace {
  readonly id: string
  /** The id of the message before it; {@link FIRST_ID} when it was the only one. Whoever has heard another one last has missed some. */
  readonly previous: string
}

/** For how long a durable message is kept, and what makes it the same as another. */
export interface AppendOptions {
  /** So many of the newest are kept, or some more. */
  readonly maxLength: number
  /** A message is kept for so long, ms, or somewhat longer; the whole log goes so long after its last. */
  readonly keepMs: number
  /** A second message of this id within `keepMs` is not appended. */
  readonly messageId?: string | undefined
}

/** Where a durable message stands in its channel's log. */
export interface Appended {
  readonly id: string
  /** False: it was there already, under this id. */
  readonly fresh: boolean
}

/** A message of a log. */
export interface LogMessage {
  readonly id: string
  readonly body: string
}

/** Messages of a log that follow one another. */
export interface LogPart {
  readonly messages: readonly LogMessage[]
  /** Messages between `after` and the first of these may have been there and are not kept any more. */
  readonly gap: boolean
  /** The id of the last message of the log; below `after`, the log is another one, or lost its end. {@link FIRST_ID} when there is none. */
  readonly last: string
}

/** A consumer of a group of a channel. */
export interface GroupMember {
  readonly channel: string
  readonly group: string
  readonly consumer: string
}

/** What a consumer asks for: messages that nobody has had, and those that were left behind. */
export interface ClaimRequest extends GroupMember {
  /** So many at most; 0 only has the group begin. */
  readonly count: number
  /** Left behind is what nobody touched for so long, ms; undefined: nothing is. */
  readonly idleMs?: number | undefined
  /** Where the group begins, when nobody has consumed by it yet: after this id, or `'now'`. */
  readonly from: string
}

/** What a consumer was given. */
export interface Claimed {
  readonly messages: readonly ClaimedMessage[]
  /** Messages that the group did not get, or not finish, may be gone: they are not kept any more. */
  readonly missed: boolean
  /** There may be more now. */
  readonly more: boolean
}

/** A message that was handed to a consumer of a group. */
export interface ClaimedMessage extends LogMessage {
  /** How often it was handed out, this time included. */
  readonly deliveries: number
}

/** Orders ids of logs, `<ms>-<number>`. */
export function compareIds(one: string, other: string): number {
  const [oneMs, oneCount] = partsOf(one)
  const [otherMs, otherCount] = partsOf(other)
  return oneMs === otherMs ? Number(oneCount - otherCount) : oneMs < otherMs ? -1 : 1
}

/** Whether a text is an id of a log. */
export function isLogId(text: string): boolean {
  return /^\d{1,20}-\d{1,20}$/.test(text)
}

function partsOf(id: string): [bigint, bigint] {
  const at = id.indexOf('-')
  return [BigInt(id.slice(0, at)), BigInt(id.slice(at + 1))]
}
