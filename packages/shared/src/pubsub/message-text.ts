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
  // Most have no id of their own, and every handler of a message comes here.
  if (PLAIN.test(text)) return { message: decodeJson('j', text.slice(PLAIN_CHARS)), messageId: undefined }
  const head = /^([jt])(null|"(?:[^"\\]|\\.)*") /.exec(text)
  if (head === null)
    throw new SerializationError('$', 'is no message of this toolkit; another program publishes on the channel')
  const messageId = JSON.parse(head[2]!) as string | null
  return { message: decodeJson(head[1] as JsonCodec, text.slice(head[0].length)), messageId: messageId ?? undefined }
}

const PLAIN = /^jnull /
const PLAIN_CHARS = 'jnull '.length
