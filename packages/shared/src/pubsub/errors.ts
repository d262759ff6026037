import { VextrusError } from '../kernel/errors.js'

/**
 * The store of the messages gave no good answer in time. `code` is `PUBSUB_UNAVAILABLE`; `cause` is what the connection said. A message was not
 * sent when the error is `unsent`; else it may have been: publish it again with the same `messageId`.
 */
export class PubSubUnavailableError extends VextrusError {
  /** The store was not even asked, so nothing came of it. */
  readonly unsent: boolean

  constructor(
    message: string,
    { unsent = false, ...options }: { cause?: unknown; key?: string; unsent?: boolean } = {},
  ) {
    super(message, { code: 'PUBSUB_UNAVAILABLE', ...options })
    this.unsent = unsent
  }
}

/** A message is larger than `pubsub.maxBytes`. `code` is `MESSAGE_TOO_LARGE`. Publish a reference to it, or raise the option. */
export class MessageTooLargeError extends VextrusError {
  constructor(channel: string, bytes: number, maxBytes: number) {
    super(
      `a message has ${bytes} bytes, the most is ${maxBytes}; publish a reference to it, or raise pubsub.maxBytes`,
      {
        code: 'MESSAGE_TOO_LARGE',
        key: channel,
      },
    )
  }
}
