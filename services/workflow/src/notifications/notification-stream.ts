import type { ServerResponse } from 'node:http'
import { type StreamPlace, placeText } from './stream-place.js'

/** Why a stream came to its end. `closed`: by this service, because it ends or because the stream has lasted long enough. */
export type StreamEnd = 'client' | 'slow' | 'closed' | 'failed'

/** How long a browser waits before it comes back, ms. */
const RETRY_MS = 2_000
/** How long a client has for what waits for it when its stream is closed, ms: whoever reads nothing would hold it, and the connection, for ever. */
const LAST_WORDS_MS = 5_000

/**
 * One client's stream of server-sent events (WHATWG HTML, 9.2). Each event carries the place that the client has reached with it, and so does the
 * head, which is no event: whoever loses the connection before the first message comes back with that.
 *
 * What a client does not read waits in the memory of this process, up to a bound. Beyond it the logs wait: who comes back after a day reads as fast
 * as their line does, and is not slow for that. Who reads nothing from one beat to the next is, and is dropped: they come back with their last id.
 */
export class NotificationStream {
  private place: StreamPlace
  private begun = false
  private ending: StreamEnd | undefined
  private jam: Jam | undefined
  private beats = 0

  /** @param response of a client that is still there @param onEnd called once, whoever ended it */
  constructor(
    private readonly response: ServerResponse,
    from: StreamPlace,
    private readonly maxWaitingBytes: number,
    private readonly onEnd: (why: StreamEnd) => void,
  ) {
    this.place = from
    response.once('close', () => this.ended('client'))
  }

  get isOver(): boolean {
    return this.ending !== undefined
  }

  /** Writes the head, unless it is there already: from now on messages may come. */
  begin(): void {
    if (this.begun || this.isOver) return
    this.begun = true
    this.response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      // Nginx keeps answers in a buffer unless it is told otherwise.
      'x-accel-buffering': 'no',
    })
    this.write(`retry: ${RETRY_MS}\nid: ${placeText(this.place)}\n\n`)
  }

  /** @param log the one that the message stands in @param id where @returns a promise when the next one has to wait */
  send(log: keyof StreamPlace, id: string, type: string, message: unknown): void | Promise<void> {
    this.begin()
    this.place = { ...this.place, [log]: id }
    this.event(type, message)
    return this.jam?.over
  }

  /** Messages of a log are not kept any more: whoever shows its content should read it anew. */
  tellGap(log: keyof StreamPlace): void {
    this.begin()
    this.event('gap', { log })
  }

  /** A comment, by which both ends and all between them see that the connection lives. @returns how many there were */
  beat(): number {
    this.beats++
    if (this.jam === undefined) {
      if (this.begun) this.write(':\n\n')
    } else if (this.jam.beats++ > 0) {
      this.ended('slow')
      this.response.destroy()
    }
    return this.beats
  }

  /** The client comes back by itself, to another process. */
  close(): void {
    if (this.isOver) return
    this.ended('closed')
    if (!this.begun) return
    const { response } = this
    const impatience = setTimeout(() => response.destroy(), LAST_WORDS_MS).unref()
    response.once('close', () => clearTimeout(impatience))
    response.end()
  }

  /** Cut off: it hears no more of this stream than it has. */
  fail(): void {
    this.ended('failed')
    if (this.begun) this.response.destroy()
  }

  private event(type: string, data: unknown): void {
    // JSON has no line breaks of its own.
    this.write(`id: ${placeText(this.place)}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  private write(text: string): void {
    if (this.isOver) return
    this.response.write(text)
    if (this.jam !== undefined || this.response.writableLength <= this.maxWaitingBytes) return
    const { over, end } = newJam()
    this.jam = { over, end, beats: 0 }
    this.response.once('drain', () => this.flow())
  }

  private flow(): void {
    this.jam?.end()
    this.jam = undefined
  }

  private ended(why: StreamEnd): void {
    if (this.isOver) return
    this.ending = why
    this.flow()
    this.onEnd(why)
  }
}

/** The client has not read what waits for it. */
interface Jam {
  readonly over: Promise<void>
  readonly end: () => void
  /** That it has lasted for. */
  beats: number
}

function newJam(): Pick<Jam, 'over' | 'end'> {
  let end: () => void = () => undefined
  const over = new Promise<void>((resolve) => (end = resolve))
  return { over, end }
}
