import { SerializationError } from '../kernel/errors.js'
import { decodeJson, encodeJson, type JsonCodec } from '../kernel/codec/json.js'
import { MessageTooLargeError } from './errors.js'

/**
 * A message as text: a letter for its codec, its `messageId` as JSON, and the value, as type-faithful JSON (kernel/codec/json.ts).
 * @throws SerializationError with the path; MessageTooLargeError
 */
export function writeMessage(
  channel: string,
  message: unknown,
  messageId: string | undefined,
  maxBytes: number,
): string {
  const { codec, payload } = encodeJson(message)
  const bytes = Buffer.byteLength(payload)
  if (bytes > maxBytes) throw new MessageTooLargeError(channel, bytes, maxBytes)
  return `${codec}${JSON.stringify(messageId ?? null)} ${payload}`
}

/** @throws SerializationError it is none of ours */
export function readMessage(text: string): { readonly message: unknown; readonly messageId: string | undefined } {
  // Every handler of a message comes here, one after the other: what stands before the value is read once.
  if (lastHead?.text !== text) lastHead = readHead(text)
  const { codec, payload, messageId } = lastHead
  return { message: decodeJson(codec, payload), messageId }
}

interface Head {
  readonly text: string
  readonly codec: JsonCodec
  readonly payload: string
  readonly messageId: string | undefined
}

let lastHead: Head | undefined

function readHead(text: string): Head {
  const [head, codec, messageId] = /^([jt])(null|"(?:[^"\\]|\\.)*") /.exec(text) ?? []
  if (head === undefined)
    throw new SerializationError('$', 'is no message of this toolkit; another program publishes on the channel')
  const payload = text.slice(head.length)
  return { text, codec: codec as JsonCodec, payload, messageId: (JSON.parse(messageId!) as string | null) ?? undefined }
}
