import { describe, expect, it } from 'vitest'
import { type Owed, OWED_KINDS, ReplayLog } from './replay-log.js'

const keys = (...names: string[]): Owed => ({ kind: 'keys', keys: names })
const tags = (...names: string[]): Owed => ({ kind: 'tags', tags: names })
const pattern = (glob: string): Owed => ({ kind: 'pattern', glob })
const hold = (owner: string, ...names: string[]): Owed => ({ kind: 'hold', hold: { owner, keys: names, tags: [] } })

function drain(log: ReplayLog): Owed[] {
  const all: Owed[] = []
  for (const kind of OWED_KINDS) for (let owed = log.take(kind); owed !== null; owed = log.take(kind)) all.push(owed)
  return all
}

describe('ReplayLog', () => {
  it('owes equal invalidations once', () => {
    const log = new ReplayLog()
    for (const owed of [keys('a', 'b'), keys('b'), tags('t'), tags('t', 'u'), pattern('p*'), pattern('p*')])
      log.add(owed)
    log.add(hold('me', 'a', 'b'))
    log.add(hold('me', 'a', 'b'))
    expect(log.size).toBe(7)
    expect(drain(log)).toEqual([tags('t', 'u'), keys('a', 'b'), hold('me', 'a', 'b'), pattern('p*')])
    expect(log.size).toBe(0)
  })

  it('lets a clear take in the tags from before and after it, but not what also concerns foreign values or holds', () => {
    const log = new ReplayLog()
    log.add(tags('t'))
    log.add(keys('a'))
    log.add(pattern('p*'))
    log.add(hold('me', 'x'))
    log.add({ kind: 'clear' })
    log.add(tags('u'))
    expect(drain(log)).toEqual([{ kind: 'clear' }, keys('a'), hold('me', 'x'), pattern('p*')])
  })

  it('keeps a tag that comes after the clear was taken out', () => {
    const log = new ReplayLog()
    log.add({ kind: 'clear' })
    expect(log.take('clear')).not.toBeNull()
    log.add(tags('t'))
    expect(drain(log)).toEqual([tags('t')])
  })

  it('hands keys out in pieces of 500, and what failed comes back behind the others', () => {
    const log = new ReplayLog()
    log.add({ kind: 'keys', keys: Array.from({ length: 1_100 }, (_, i) => `k${i}`) })
    const first = log.take('keys')!
    log.add(first)
    const sizes = drain(log).map((owed) => (owed.kind === 'keys' ? [owed.keys.length, owed.keys[0]] : null))
    expect(sizes).toEqual([
      [500, 'k500'],
      [500, 'k1000'],
      [100, 'k400'],
    ])
  })

  it('becomes one clear beyond its limit, and goes on from there', () => {
    const log = new ReplayLog(5)
    expect(log.add(keys('a', 'b'))).toBe(true)
    expect(log.add(tags('t'))).toBe(true)
    expect(log.add(hold('me', 'x', 'y'))).toBe(true)
    expect(log.size).toBe(5)
    expect(log.add(keys('a'))).toBe(true)
    expect(log.add(pattern('p*'))).toBe(false)
    expect(log.size).toBe(1)
    expect(log.add(keys('c'))).toBe(true)
    expect(drain(log)).toEqual([{ kind: 'clear' }, keys('c')])
    log.add(hold('me', 'x'))
    expect(log.size).toBe(1)
  })
})
