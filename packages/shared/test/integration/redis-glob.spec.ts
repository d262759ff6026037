import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { globMatcher } from '../../src/kernel/glob.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'

const RUNS = 400
/** Few letters, so that globs and texts often meet, and all that means something in a glob. */
const LETTERS = ['a', 'b', 'c', 'd', '-', ']', 'ü']
const WORDS = [...LETTERS, '*', '*', '**', '?', '?', '[', ']', '[^', '^', '\\', '[a-c]', '[c-a]', '[ab', '[ü]', '[a-ü]']

let server: RedisServer

beforeAll(async () => {
  server = await startRedis()
})

afterAll(() => server.stop())

describe('a glob', () => {
  it('matches here what SCAN … MATCH answers on a real Redis', async () => {
    let matched = 0
    const text = fc.array(fc.constantFrom(...LETTERS, '*', '[', '\\', '^'), { maxLength: 4 }).map((all) => all.join(''))
    const glob = fc.array(fc.constantFrom(...WORDS), { maxLength: 6, size: 'max' }).map((all) => all.join(''))
    await fc.assert(
      fc.asyncProperty(glob, fc.array(text, { minLength: 20, maxLength: 40 }), async (pattern, texts) => {
        await server.command('FLUSHDB')
        await server.command('MSET', ...texts.flatMap((each) => [`p:${each}`, '1']))
        const found = await scan(`p:${pattern}`)
        const matches = globMatcher(pattern)
        const ours = new Set(texts.filter((each) => matches(each)).map((each) => `p:${each}`))
        matched += ours.size
        expect(found).toEqual(ours)
      }),
      { numRuns: RUNS },
    )
    expect(matched).toBeGreaterThan(RUNS)
  })
})

async function scan(glob: string): Promise<Set<string>> {
  const found = new Set<string>()
  let cursor = '0'
  do {
    const reply = (await server.command('SCAN', cursor, 'MATCH', glob, 'COUNT', 1_000)) as [string, string[]]
    cursor = reply[0]
    for (const key of reply[1]) found.add(key)
  } while (cursor !== '0')
  return found
}
