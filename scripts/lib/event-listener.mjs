// A browser's `EventSource` with a token: what the end-to-end journey hears notifications with.

/**
 * Follows a stream of server-sent events (WHATWG HTML, 9.2) and comes back with its last id whenever the stream ends, until it is told to stop.
 * Each event is `{ id, type, data }`, its data read as JSON.
 */
export class EventListener {
  /** What came, in the order in which it came. */
  events = []
  /** Of the last block that named one; the head of a stream may be one without an event. */
  lastId = undefined
  /** Streams that were answered with 200. */
  streams = 0
  #leave = new AbortController()
  #following = undefined

  /** @param pauseMs how long it waits before it comes back, where a browser waits for the `retry` of the stream */
  constructor(url, token, pauseMs = 500) {
    this.url = url
    this.token = token
    this.pauseMs = pauseMs
  }

  /** Begins, or goes on after the last id. */
  start() {
    this.#leave = new AbortController()
    this.#following = this.#follow(this.#leave.signal)
  }

  /** Resolves when nothing comes any more. */
  async stop() {
    this.#leave.abort()
    await this.#following
  }

  async #follow(signal) {
    while (!signal.aborted) {
      try {
        await this.#read(signal)
      } catch (error) {
        // An answer that broke off, or a gateway that is away: a browser comes back too. Anything else is a fault of this file.
        if (!signal.aborted && !(error instanceof TypeError)) throw error
      }
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, this.pauseMs))
    }
  }

  async #read(signal) {
    const last = this.lastId === undefined ? {} : { 'last-event-id': this.lastId }
    const headers = { accept: 'text/event-stream', authorization: `Bearer ${this.token}`, ...last }
    const response = await fetch(this.url, { headers, signal })
    if (response.status !== 200) {
      await response.body?.cancel()
      return
    }
    this.streams++
    let rest = ''
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + text).split('\n\n')
      rest = blocks.pop()
      for (const block of blocks) this.#take(block)
    }
  }

  #take(block) {
    let type = 'message'
    let data
    for (const line of block.split('\n')) {
      const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? []
      if (name === 'id') this.lastId = value
      else if (name === 'event') type = value
      else if (name === 'data') data = data === undefined ? value : `${data}\n${value}`
    }
    if (data !== undefined) this.events.push({ id: this.lastId, type, data: JSON.parse(data) })
  }
}
