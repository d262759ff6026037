import { expect, it } from 'vitest'
import { label } from './input.js'

it('a label is text of whole characters', () => {
  const accepts = (text: string): boolean => label(20).safeParse(text).success
  for (const text of ['ada', 'Ünïcode', '日本語', '\u{1F600}', ' trimmed ']) expect(accepts(text)).toBe(true)
  // Half a surrogate pair: Postgres refuses it in JSON.
  for (const text of ['', '  ', 'a\nb', 'a\0', '\uD800', 'a\uDC00b', 'x'.repeat(21)]) expect(accepts(text)).toBe(false)
})
