import { describe, expect, it } from 'vitest'
import { SerializationError } from '../kernel/errors.js'
import { MessageTooLargeError } from './errors.js'
import { readMessage, writeMessage } from './message-text.js'

const through = (message: unknown, messageId?: string): unknown =>
  readMessage(writeMessage('c', message, messageId, 1_000))

describe('a message as text', () => {
  it.each([
    [{ a: [1, 'two', null, true] }],
    [{ at: new Date(5), set: new Set([1n]), map: new Map([['k', undefined]]), bytes: Buffer.from('ü') }],
    ['~ {"} \r\n \u2028 🙂'],
    [0],
    [null],
    [false],
    [''],
  ])('comes back as it was: %j', (message) => {
    expect(through(message)).toEqual({ message, messageId: undefined })
    for (const messageId of ['a', 'with "quotes" and \\', 'null', 'ü 🙂 ']) {
      expect(through(message, messageId)).toEqual({ message, messageId })
    }
  })

  it('is a value of its own for each who reads it, also when another one was read between', () => {
    const [text, other] = [writeMessage('c', { a: [1] }, 'one', 1_000), writeMessage('c', { a: [2] }, undefined, 1_000)]
    const [first, second, between, third] = [text, text, other, text].map(readMessage)
    ;(first!.message as { a: number[] }).a.push(9)
    expect([second, between, third]).toEqual([
      { message: { a: [1] }, messageId: 'one' },
      { message: { a: [2] }, messageId: undefined },
      { message: { a: [1] }, messageId: 'one' },
    ])
  })

  it('is refused when it can’t be one, or is too large', () => {
    expect(() => through(undefined)).toThrow(SerializationError)
    expect(() => through(() => undefined)).toThrow(SerializationError)
    expect(() => writeMessage('c', 'ü'.repeat(50), undefined, 101)).toThrow(MessageTooLargeError)
    expect(writeMessage('c', 'ü'.repeat(50), undefined, 102)).toBeTypeOf('string')
  })

  it('of another program is none, and its text is not in the error', () => {
    for (const text of [
      'secret',
      '',
      '{"secret":1}',
      'jnull',
      'jsecret {}',
      'x"id" {}',
      'jnull secret',
      'tnull ["~Q"',
    ]) {
      const failure = (): unknown => readMessage(text)
      expect(failure).toThrow(SerializationError)
      expect(failure).not.toThrow(/secret/)
    }
  })
})
