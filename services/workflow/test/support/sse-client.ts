import { type ClientRequest, type IncomingMessage, request } from 'node:http'

/** An event as it came. */
export interface SseEvent {
  readonly id: string
  readonly type: string
  // oxlint-disable-next-line typescript/no-explicit-any -- what a test expects of it, it checks
  readonly data: any
}

/** A browser's `EventSource`, as far as the tests need one, which can also be slow. It does not come back by itself. */
export class SseClient {
  readonly events: SseEvent[] = []
  /** The `id` that it would come back with. */
  lastEventId: string | undefined
  retryMs: number | undefined
  comments = 0
  isOver = false
  private rest = ''

  private constructor(
    private readonly sent: ClientRequest,
    readonly response: IncomingMessage,
    private readonly onEvent: ((event: SseEvent) => void) | undefined,
  ) {
    response.setEncoding('utf8')
    response.on('data', (text: string) => this.read(text))
    response.on('error', () => undefined)
    response.once('close', () => (this.isOver = true))
  }

  /** Resolves with the head, whatever its status. @param onEvent instead of keeping them in `events` */
  static open(
    url: string,
    headers: Record<string, string>,
    lastEventId?: string,
    onEvent?: (event: SseEvent) => void,
  ): Promise<SseClient> {
    return new Promise((resolve, reject) => {
      const last = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
      const sent = request(url, { headers: { ...headers, ...last }, agent: false })
      sent.on('error', reject)
      sent.once('response', (response) => resolve(new SseClient(sent, response, onEvent)))
      sent.end()
    })
  }

  get status(): number {
    return this.response.statusCode ?? 0
  }

  /** Reads no more; what comes fills the buffers between here and there. */
  pause(): void {
    this.response.pause()
  }

  resume(): void {
    this.response.resume()
  }

  /** Leaves, as a browser whose tab is closed. */
  close(): void {
    this.sent.destroy()
  }

  private read(text: string): void {
    const blocks = (this.rest + text).split('\n\n')
    this.rest = blocks.pop() ?? ''
    for (const block of blocks) this.dispatch(block)
  }

  /** WHATWG HTML, 9.2.6: a block without data sets the id all the same. */
  private dispatch(block: string): void {
    let [type, data] = ['message', undefined as string | undefined]
    for (const line of block.split('\n')) {
      const [, name = '', value = ''] = /^(\w*): ?(.*)$/s.exec(line) ?? []
      if (line.startsWith(':')) this.comments++
      else if (name === 'id') this.lastEventId = value
      else if (name === 'retry') this.retryMs = Number(value)
      else if (name === 'event') type = value
      else if (name === 'data') data = data === undefined ? value : `${data}\n${value}`
    }
    if (data === undefined) return
    const event: SseEvent = { id: this.lastEventId ?? '', type, data: JSON.parse(data) }
    if (this.onEvent === undefined) this.events.push(event)
    else this.onEvent(event)
  }
}
