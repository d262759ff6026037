import { describe, expect, it } from 'vitest'
import { globMatcher } from './glob.js'

/** `test/integration/redis-glob.spec.ts` compares it with a real Redis; here are the rules by name. */
describe('a glob', () => {
  it.each<[glob: string, matching: string[], others: string[]]>([
    ['user:1', ['user:1'], ['user:12', 'auser:1', 'User:1', '']],
    ['*', ['', 'a', 'a\nb', 'ü'], []],
    ['user:*', ['user:', 'user:1', 'user:1:2'], ['user', 'xuser:1']],
    ['*:1', [':1', 'a:1', 'a:1:1'], ['a:12', '1']],
    ['a*b*c', ['abc', 'aXbXc', 'abbcbc'], ['ab', 'acb', 'abcd']],
    ['a***b', ['ab', 'a*b', 'axyb'], ['a', 'abx']],
    ['a?c', ['abc', 'a?c', 'a/c'], ['ac', 'abbc']],
    ['[abc]x', ['ax', 'cx'], ['x', 'dx', 'abx']],
    ['[^abc]x', ['dx', '^x'], ['ax', 'x']],
    ['[a-c]', ['a', 'b', 'c'], ['d', '-']],
    ['[c-a]', ['a', 'b', 'c'], ['d', '-']],
    ['[a-]', ['a', '_', ']'], ['-', 'b']],
    ['[-a]', ['-', 'a'], ['b']],
    ['[a\\-c]', ['a', '-', 'c'], ['b', '\\']],
    ['[\\]]', [']'], ['\\']],
    ['[]a', [], ['a', ']a', '[]a']],
    ['[^]a', ['xa', ']a'], ['a']],
    ['[ab', ['a', 'b'], ['[ab', 'ab']],
    ['[^ab', ['c'], ['a', '[^ab']],
    ['[', [], ['[', '']],
    ['\\*', ['*'], ['a', '\\*']],
    ['\\a', ['a'], ['\\a']],
    ['a\\', ['a\\'], ['a', 'a\\x']],
    ['{a,b}', ['{a,b}'], ['a', 'b']],
  ])('%s', (glob, matching, others) => {
    const matches = globMatcher(glob)
    expect(matching.filter((text) => !matches(text))).toEqual([])
    expect(others.filter((text) => matches(text))).toEqual([])
  })

  it('is compared by bytes: a question mark is half an ü, and a set has its halves', () => {
    expect([globMatcher('?')('ü'), globMatcher('??')('ü')]).toEqual([false, true])
    expect([globMatcher('[ü]')('ü'), globMatcher('[ü][ü]')('ü')]).toEqual([false, true])
    expect([globMatcher('ü*')('üx'), globMatcher('ü')('ü'), globMatcher('\\ü')('ü')]).toEqual([true, true, true])
  })

  it('may be used again and again', () => {
    const matches = globMatcher('a*c')
    expect(['abc', 'ab', 'abc', 'ac'].map(matches)).toEqual([true, false, true, true])
  })

  it('of many stars is answered at once: it does not try their places together', () => {
    const text = `${'a'.repeat(1_000)}b`
    const begun = performance.now()
    expect(globMatcher(`${'*a'.repeat(100)}*c`)(text)).toBe(false)
    expect(globMatcher(`${'a*'.repeat(100)}b`)(text)).toBe(true)
    // Tried together this would outlast the world.
    expect(performance.now() - begun).toBeLessThan(2_000)
  })
})
