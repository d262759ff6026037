import type { RawCommand } from '../client.js'
import { RedisReplyError } from '../errors.js'
import type { RedisArg, RedisReply } from '../topology.js'

/**
 * A command in the shape that ioredis' `sendCommand` takes, without what its own `Command` spends on each: a promise, a copy of the
 * arguments, an encoding table, a timer. A list of commands has one promise, and its bytes leave in one write.
 *
 * ioredis 5 and 6 ask of a command what is public here: they call `toWritable` and put it into their queue, and later call `resolve` or
 * `reject`. The rest is inherited from the `Command` class of the very client, so that a method which a later release calls is there.
 * The contract suite of the adapter runs on both majors; the figures are in `docs/decisions/`.
 */
export interface WireCommand {
  readonly name: string
}

/** Makes the commands of one client. */
export type WireCommandClass = new (batch: WireBatch, index: number, command: RawCommand) => WireCommand

/** The class for the clients of one copy of ioredis. @param inherited the prototype of the commands which they make themselves */
export function wireCommandClass(inherited: object): WireCommandClass {
  let known = classes.get(inherited)
  if (known === undefined) classes.set(inherited, (known = defineClass(inherited)))
  return known
}

const classes = new WeakMap<object, WireCommandClass>()

function defineClass(inherited: object): WireCommandClass {
  class Wire implements WireCommand {
    readonly name: string
    readonly args: readonly RedisArg[]
    /**
     * On a loss of connection ioredis rejects the commands of half-answered pipelines and resends the others if it was told to. No command
     * is number −1 of its pipeline, so ours are always among the rejected (never resent, whatever the options of a given client).
     */
    readonly pipelineIndex = -1
    readonly inTransaction = false
    /** Tracing would wrap the promise of each command, and there is none. */
    readonly isTraced = true
    readonly promise = undefined
    /** Set by ioredis 6 before it sends. */
    readonly protocol: number = 2
    /** Closures and not methods: instrumentations take them off the command and call them without it. */
    readonly resolve: (reply: unknown) => void
    readonly reject: (error: Error) => void

    private written = false

    constructor(
      private readonly batch: WireBatch,
      index: number,
      command: RawCommand,
    ) {
      this.name = command.name
      this.args = command.args
      const binary = command.binary === true
      this.resolve = (reply) => batch.settle(index, read(reply, binary, this.protocol === 3 ? command.name : undefined))
      this.reject = (error) => batch.refuse(index, error)
    }

    /** A second call would be a resend, on a client whose `reconnectOnError` asks for it: something harmless goes in its place. */
    toWritable(): string | Buffer {
      if (this.written) {
        this.batch.lose(new Error('Connection lost'))
        return '*1\r\n$4\r\nPING\r\n'
      }
      this.written = true
      return encode(this.name, this.args)
    }

    /** A client's own `commandTimeout`. Ours is kept for the whole list by the connection. */
    setTimeout(): void {}
  }
  Object.setPrototypeOf(Wire.prototype, inherited)
  return Wire
}

/** The replies of one list of commands, gathered. An error reply stands in its place; any other error ends the list. */
export class WireBatch {
  private readonly replies: RedisReply[]
  private missing: number

  constructor(
    size: number,
    private readonly done: (replies: RedisReply[]) => void,
    private readonly lost: (cause: Error) => void,
  ) {
    this.replies = new Array<RedisReply>(size)
    this.missing = size
  }

  settle(index: number, reply: RedisReply): void {
    this.replies[index] = reply
    if (--this.missing === 0) this.done(this.replies)
  }

  refuse(index: number, error: Error): void {
    if (isReplyError(error)) this.settle(index, new RedisReplyError(error.message))
    else this.lose(error)
  }

  /** Settling a promise again does nothing, so the rest of the list may still report. */
  lose(cause: Error): void {
    this.lost(cause)
  }
}

/** Error replies of the server, of any copy of ioredis. Their `command` property, with the arguments, is not kept. */
export function isReplyError(error: Error): boolean {
  return error.name === 'ReplyError'
}

/** Chunks for the socket: texts are joined up to this length, so that no string comes near the engine's limit. */
const CHUNK_LENGTH = 1 << 20

/** Takes the bytes of a list of commands from ioredis, which believes it writes to a socket, and hands them to the socket together. */
export class WireWriter {
  /** What makes ioredis write here. */
  readonly isPipeline = true
  private text = ''
  private chunks: (string | Buffer)[] | undefined

  constructor(readonly destination: { readonly redis: { readonly stream: NodeJS.WritableStream & WritableCork } }) {}

  write(chunk: string | Buffer): void {
    if (typeof chunk === 'string' && this.text.length + chunk.length <= CHUNK_LENGTH) {
      this.text += chunk
      return
    }
    this.chunks ??= []
    if (this.text !== '') this.chunks.push(this.text)
    this.text = ''
    this.chunks.push(chunk)
  }

  flush(): void {
    const { stream } = this.destination.redis
    if (this.chunks === undefined) {
      stream.write(this.text)
      return
    }
    if (this.text !== '') this.chunks.push(this.text)
    stream.cork()
    for (const chunk of this.chunks) stream.write(chunk)
    stream.uncork()
  }
}

interface WritableCork {
  cork(): void
  uncork(): void
}

function encode(name: string, args: readonly RedisArg[]): string | Buffer {
  let text = `*${args.length + 1}\r\n$${name.length}\r\n${name}\r\n`
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (typeof arg === 'object') return encodeBinary(name, args)
    const word = typeof arg === 'string' ? arg : String(arg)
    text += `$${Buffer.byteLength(word)}\r\n${word}\r\n`
  }
  return text
}

function encodeBinary(name: string, args: readonly RedisArg[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length + 1}\r\n$${name.length}\r\n${name}\r\n`)]
  for (const arg of args) {
    const bytes = typeof arg === 'object' ? arg : Buffer.from(String(arg))
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF)
  }
  return Buffer.concat(parts)
}

const CRLF = Buffer.from('\r\n')

/** @param resp3 the command's name when its connection speaks RESP3 */
function read(reply: unknown, binary: boolean, resp3: string | undefined): RedisReply {
  const value = binary ? withErrors(reply) : toText(reply)
  return resp3 !== undefined && SCORED.has(resp3) && Array.isArray(value) && Array.isArray(value[0])
    ? value.flat()
    : value
}

/** Commands that answer pairs in RESP3 and a flat list in RESP2. */
const SCORED = new Set(
  'ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANDMEMBER ZPOPMIN ZPOPMAX ZDIFF ZINTER ZUNION HRANDFIELD'.split(
    ' ',
  ),
)

/** Bulk strings arrive as Buffers from ioredis' parsers. */
function toText(reply: unknown): RedisReply {
  if (reply instanceof Buffer) return reply.toString()
  if (!Array.isArray(reply)) return reply instanceof Error ? new RedisReplyError(reply.message) : (reply as RedisReply)
  const texts = new Array<RedisReply>(reply.length)
  for (let i = 0; i < reply.length; i++) {
    const item: unknown = reply[i]
    texts[i] = item === null ? null : item instanceof Buffer ? item.toString() : toText(item)
  }
  return texts
}

/** An error inside a list, such as one that a script answers, becomes ours. */
function withErrors(reply: unknown): RedisReply {
  if (reply instanceof Error) return new RedisReplyError(reply.message)
  return Array.isArray(reply) && !reply.every(isPlain) ? reply.map(withErrors) : (reply as RedisReply)
}

function isPlain(item: unknown): boolean {
  return item === null || item instanceof Buffer || typeof item !== 'object'
}
