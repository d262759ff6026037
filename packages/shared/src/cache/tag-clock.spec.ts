import { beforeEach, describe, expect, it } from 'vitest'
import type { ClockReply, StoredEntry, TagReply } from './cache-store.js'
import { type Since, TagClock, validBy } from './tag-clock.js'

const G = '40000000000000'
const OTHER_G = '50000000000000'

let clock: TagClock

beforeEach(() => {
  clock = new TagClock(100)
})

function base(s: number, { g = G, f = 0 }: { g?: string | null; f?: number } = {}): ClockReply {
  return { g, s, f, tags: [], seqs: [], holds: [], full: false, base: true }
}

function delta(s: number | null, marks: Record<string, number> = {}, other: Partial<ClockReply> = {}): ClockReply {
  return {
    ...{ g: G, s, f: null, tags: Object.keys(marks), seqs: Object.values(marks), holds: [], full: false, base: false },
    ...other,
  }
}

function tags(s: number, seqs: (number | null)[], { g = G, f = 0 }: { g?: string | null; f?: number } = {}): TagReply {
  return { g, s, f, seqs }
}

function entry(s: number, tagged: string[] = ['x'], other: Partial<StoredEntry> = {}): StoredEntry {
  return {
    ...{ g: G, s, e: 'epoch', softAt: 1_000, hardAt: 1_000, deltaMs: 0, codec: 'j', version: null, payload: '1' },
    tags: tagged,
    ...other,
  }
}

/** Takes in a reply asked with `since` and judges an entry that came with it. */
function judged(stored: StoredEntry, reply: ClockReply, since: Since | null = clock.since): string {
  return clock.judge('key', stored, clock.apply(reply, since, clock.sending()), { epoch: 'epoch', nowMs: 500 })
}

/** A mirror that knows x (unmarked) and y (unmarked) at S = 10. */
function knowing(): void {
  clock.apply(base(10), null, clock.sending())
  clock.learn(['x', 'y'], tags(10, [null, null]))
}

describe('an entry (R5)', () => {
  it('is valid while its generation, its epoch and its time last and no tag of it moved past it', () => {
    knowing()
    expect(judged(entry(10), delta(10))).toBe('valid')
    expect(judged(entry(10, []), delta(10))).toBe('valid')
  })

  it.each([
    ['another generation', { g: OTHER_G }],
    ['another epoch', { e: 'elsewhere' }],
    ['a time that is over', { hardAt: 500 }],
  ])('is invalid with %s, tagged or not', (_, other) => {
    knowing()
    expect(judged(entry(10, ['x'], other), delta(10))).toBe('invalid')
    expect(judged(entry(10, [], other), delta(10))).toBe('invalid')
  })

  it('is invalid when one of its tags was marked after its load began, and valid when before', () => {
    knowing()
    expect(judged(entry(10, ['y', 'x']), delta(12, { x: 11 }))).toBe('invalid')
    expect(judged(entry(12, ['y', 'x']), delta(12))).toBe('valid')
    expect(judged(entry(10, ['y']), delta(12))).toBe('valid')
  })

  it('is invalid below the floor, for a mark of it may have been dropped', () => {
    clock.apply(base(10, { f: 5 }), null, clock.sending())
    clock.learn(['x'], tags(10, [null], { f: 5 }))
    expect(judged(entry(4), delta(10))).toBe('invalid')
    expect(judged(entry(6), delta(10))).toBe('valid')
    expect(judged(entry(4, []), delta(10))).toBe('valid')
  })

  it('waits for a look-up when a tag of it is not in the table, unless another one decides', () => {
    knowing()
    expect(judged(entry(10, ['x', 'z']), delta(10))).toBe('unknown')
    expect(judged(entry(10, ['z', 'x']), delta(12, { x: 11 }))).toBe('invalid')
  })
})

describe('a delta (R3)', () => {
  it('moves S, and what it does not name has not moved', () => {
    knowing()
    clock.apply(delta(14, { x: 11 }), clock.since, clock.sending())
    expect(clock.since).toEqual({ g: G, s: 14 })
    expect(judged(entry(10, ['y']), delta(14))).toBe('valid')
    expect(judged(entry(10, ['x']), delta(14))).toBe('invalid')
  })

  it.each([
    ['of another generation', delta(12, {}, { g: OTHER_G })],
    ['without a sequence: the clock went back', delta(null)],
    ['that was cut', delta(12, { z: 11 }, { full: true })],
    ['without a generation: the clock is lost', delta(null, {}, { g: null })],
  ])('%s voids S and the table', (_, reply) => {
    knowing()
    clock.apply(reply, clock.since, clock.sending())
    expect(clock.since).toBeNull()
    clock.apply(base(12), null, clock.sending())
    expect(judged(entry(12), delta(12))).toBe('unknown')
  })

  it('judges by its own generation, even when that voids the mirror', () => {
    knowing()
    expect(judged(entry(10, [], { g: OTHER_G }), delta(12, {}, { g: OTHER_G }))).toBe('valid')
    expect(judged(entry(10, []), delta(null, {}, { g: null }))).toBe('invalid')
  })

  it('handed on late moves S and marks neither back nor past what it has not seen', () => {
    knowing()
    const asked = clock.since
    clock.apply(delta(14, { x: 13 }), asked, clock.sending())
    clock.apply(delta(12, { x: 11 }), asked, clock.sending())
    expect(clock.since).toEqual({ g: G, s: 14 })
    expect(judged(entry(12), delta(14))).toBe('invalid')
  })

  it('handed on late judges by the newer table', () => {
    knowing()
    const asked = clock.since
    clock.apply(delta(14, { x: 13 }), asked, clock.sending())
    expect(judged(entry(12), delta(12), asked)).toBe('invalid')
    expect(judged(entry(14), delta(12), asked)).toBe('valid')
  })

  it('takes no mark back that a later look-up has seen', () => {
    knowing()
    const asked = clock.since
    clock.learn(['x'], tags(14, [13]))
    expect(judged(entry(12), delta(12, { x: 11 }), asked)).toBe('invalid')
  })

  it('asked under another generation is not applied: what it lacks is not in the table', () => {
    knowing()
    const asked = clock.since!
    clock.apply(base(2, { g: OTHER_G }), null, clock.sending())
    clock.learn(['x'], tags(2, [null], { g: OTHER_G }))
    // x is marked at 5; this delta, asked from 10 on, doesn't name it.
    expect(judged(entry(4, ['x'], { g: OTHER_G }), delta(12, {}, { g: OTHER_G }), asked)).toBe('unknown')
    expect(clock.since).toEqual({ g: OTHER_G, s: 2 })
  })

  it('asked from beyond S is not applied: between the two there may be marks', () => {
    knowing()
    const asked = { g: G, s: 20 }
    expect(judged(entry(10), delta(22), asked)).toBe('unknown')
    expect(clock.since).toEqual({ g: G, s: 10 })
  })

  it('without a floor leaves the floor: it lies below what was asked for', () => {
    clock.apply(base(10, { f: 7 }), null, clock.sending())
    clock.learn(['x'], tags(10, [null], { f: 7 }))
    expect(judged(entry(6), delta(12))).toBe('invalid')
  })

  it('raises the floor', () => {
    knowing()
    expect(judged(entry(10), delta(20, {}, { f: 15 }))).toBe('invalid')
  })
})

describe('a base', () => {
  it('begins a table for its generation', () => {
    expect(clock.since).toBeNull()
    clock.apply(base(10), null, clock.sending())
    expect(clock.since).toEqual({ g: G, s: 10 })
    expect(judged(entry(10), delta(10))).toBe('unknown')
  })

  it('that comes second says nothing of the table when the sequence has moved', () => {
    knowing()
    expect(judged(entry(10), base(12), null)).toBe('unknown')
    expect(clock.since).toEqual({ g: G, s: 10 })
    expect(judged(entry(10), base(10), null)).toBe('valid')
  })

  it('of another generation replaces everything', () => {
    knowing()
    clock.apply(base(2, { g: OTHER_G }), null, clock.sending())
    expect(clock.since).toEqual({ g: OTHER_G, s: 2 })
    expect(judged(entry(2, ['x'], { g: OTHER_G }), delta(2, {}, { g: OTHER_G }))).toBe('unknown')
  })
})

describe('a look-up (R4)', () => {
  it('enters the table, a tag without a mark as marked at the floor', () => {
    clock.apply(base(10), null, clock.sending())
    clock.learn(['x', 'y'], tags(12, [11, null], { f: 7 }))
    expect(judged(entry(10, ['x']), delta(12))).toBe('invalid')
    expect(judged(entry(8, ['y']), delta(12))).toBe('valid')
    expect(judged(entry(6, ['y']), delta(12))).toBe('invalid')
  })

  it('does not move S: it says nothing of other tags', () => {
    knowing()
    clock.learn(['x'], tags(14, [13]))
    expect(clock.since).toEqual({ g: G, s: 10 })
    expect(judged(entry(10, ['y']), delta(14, { y: 11, x: 13 }))).toBe('invalid')
  })

  it('older than S does not enter', () => {
    clock.apply(base(10), null, clock.sending())
    clock.learn(['x'], tags(8, [null]))
    expect(judged(entry(10), delta(10))).toBe('unknown')
  })

  it('of another generation voids the table and begins the next', () => {
    knowing()
    clock.learn(['x'], tags(4, [3], { g: OTHER_G }))
    expect(clock.since).toEqual({ g: OTHER_G, s: 4 })
    expect(judged(entry(4, ['y'], { g: OTHER_G }), delta(4, {}, { g: OTHER_G }))).toBe('unknown')
    expect(judged(entry(2, ['x'], { g: OTHER_G }), delta(4, {}, { g: OTHER_G }))).toBe('invalid')
  })

  it('that finds no clock voids the table', () => {
    knowing()
    clock.learn(['x'], tags(0, [null], { g: null }))
    expect(clock.since).toBeNull()
  })

  it('judges alone: by its own generation, its own floor and its own marks', () => {
    expect(validBy(G, 10, [null, 9], tags(12, []))).toBe(true)
    expect(validBy(G, 10, [11], tags(12, []))).toBe(false)
    expect(validBy(G, 10, [null], tags(12, [], { g: OTHER_G }))).toBe(false)
    expect(validBy(G, 10, [null], tags(12, [], { g: null }))).toBe(false)
    expect(validBy(G, 10, [null], tags(12, [], { f: 11 }))).toBe(false)
    expect(validBy(G, 10, [null], tags(12, [], { f: 9 }))).toBe(true)
  })
})

describe('the table', () => {
  it('is bounded, and what it forgot is looked up again', () => {
    clock.apply(base(10), null, clock.sending())
    const many = Array.from({ length: 150 }, (_, i) => `t${i}`)
    clock.learn(
      many,
      tags(
        10,
        many.map(() => null),
      ),
    )
    const known = many.filter((tag) => judged(entry(10, [tag]), delta(10)) === 'valid')
    expect(known).toEqual(many.slice(50))
  })

  it('bounded by less than one delta holds, still never shows an older mark', () => {
    clock = new TagClock(2)
    clock.apply(base(10), null, clock.sending())
    clock.apply(delta(20, { x: 19, y: 17, z: 15 }), clock.since, clock.sending())
    expect(judged(entry(16, ['x']), delta(20))).not.toBe('valid')
    expect(judged(entry(16, ['z']), delta(20))).toBe('valid')
  })
})

const hold = (name: string, kind: 'key' | 'tag' = 'tag'): ClockReply['holds'][number] => ({
  owner: 'o',
  kind,
  name,
  endMs: 1,
})

describe('the moments of the clock (R19)', () => {
  it('are not passed before the first delta', () => {
    expect([clock.caughtUp, clock.hasPassed(clock.pushed)]).toEqual([false, false])
    knowing()
    expect(clock.caughtUp).toBe(true)
  })

  it('are passed by a delta that was sent after the push, and by none that was sent before', () => {
    knowing()
    const before = clock.sending()
    clock.moved()
    clock.apply(delta(12), clock.since, before)
    expect(clock.caughtUp).toBe(false)
    clock.apply(delta(12), clock.since, clock.sending())
    expect(clock.caughtUp).toBe(true)
  })

  it('are not given back when an older delta comes later', () => {
    knowing()
    const [older, newer] = [clock.sending(), clock.sending()]
    clock.moved()
    const { pushed } = clock
    const newest = clock.sending()
    clock.apply(delta(12), clock.since, newest)
    clock.apply(delta(12), clock.since, older)
    clock.apply(delta(12), clock.since, newer)
    expect([clock.caughtUp, clock.hasPassed(pushed)]).toEqual([true, true])
  })

  it('are passed one by one: a later push does not take back what an earlier one waited for', () => {
    knowing()
    clock.moved()
    const first = clock.pushed
    const sent = clock.sending()
    clock.moved()
    clock.apply(delta(12), clock.since, sent)
    expect([clock.hasPassed(first), clock.hasPassed(clock.pushed), clock.caughtUp]).toEqual([true, false, false])
  })

  it('are not passed by a reply that the table could not take in', () => {
    knowing()
    clock.moved()
    clock.apply(delta(12), { g: G, s: 20 }, clock.sending())
    expect(clock.caughtUp).toBe(false)
    clock.apply(delta(12, {}, { full: true }), clock.since, clock.sending())
    expect(clock.caughtUp).toBe(false)
    clock.apply(delta(null, {}, { g: null }), clock.since, clock.sending())
    expect(clock.caughtUp).toBe(false)
    clock.apply(base(14), null, clock.sending())
    expect(clock.caughtUp).toBe(true)
  })
})

describe('what L1 keeps', () => {
  it('is judged by generation, floor and marks of the table', () => {
    knowing()
    expect(clock.judgeKept(entry(10, ['x', 'y']))).toBe('valid')
    expect(clock.judgeKept(entry(10, []))).toBe('valid')
    expect(clock.judgeKept(entry(10, ['x', 'z']))).toBe('unknown')
    for (const tagged of [['x'], []]) expect(clock.judgeKept(entry(10, tagged, { g: OTHER_G }))).toBe('invalid')
    clock.apply(delta(12, { x: 11 }), clock.since, clock.sending())
    expect([clock.judgeKept(entry(10)), clock.judgeKept(entry(10, ['y'])), clock.judgeKept(entry(12))]).toEqual([
      'invalid',
      'valid',
      'valid',
    ])
    clock.apply(delta(20, {}, { f: 15 }), clock.since, clock.sending())
    expect([clock.judgeKept(entry(12, ['y'])), clock.judgeKept(entry(12, []))]).toEqual(['invalid', 'valid'])
  })

  it('is not judged without a clock, unless it has no tags: pushes tell of those', () => {
    expect(clock.judgeKept(entry(10))).toBe('unknown')
    expect(clock.judgeKept(entry(10, []))).toBe('valid')
    knowing()
    clock.apply(delta(null, {}, { g: null }), clock.since, clock.sending())
    expect(clock.judgeKept(entry(10))).toBe('unknown')
  })

  it('is nothing to go by while a hold stands on a tag of it: holds are those of the delta that was sent last', () => {
    knowing()
    const [older, newer] = [clock.sending(), clock.sending()]
    clock.apply(delta(10, {}, { holds: [hold('x')] }), clock.since, newer)
    clock.apply(delta(10), clock.since, older)
    expect([clock.judgeKept(entry(10)), clock.judgeKept(entry(10, ['y'])), clock.judgeKept(entry(10, []))]).toEqual([
      'unknown',
      'valid',
      'valid',
    ])
    clock.apply(delta(10), clock.since, clock.sending())
    expect(clock.judgeKept(entry(10))).toBe('valid')
  })

  it('is held only by the delta of a hold of its tag, not of a key of the same name', () => {
    knowing()
    clock.apply(delta(10, {}, { holds: [hold('x', 'key')] }), clock.since, clock.sending())
    expect(clock.judgeKept(entry(10))).toBe('valid')
  })
})

describe('the stamp', () => {
  /** Whether it is another one afterwards. */
  function moves(what: () => unknown): boolean {
    const before = clock.stamp
    what()
    return clock.stamp !== before
  }
  const taking = (reply: ClockReply) => () => clock.apply(reply, clock.since, clock.sending())

  it('stays while nothing changes that an entry is judged by', () => {
    knowing()
    expect(moves(taking(delta(10)))).toBe(false)
    expect(moves(taking(delta(12)))).toBe(false)
    expect(moves(() => clock.moved())).toBe(false)
    expect(moves(() => clock.learn(['x'], tags(12, [null])))).toBe(false)
  })

  it('is another one after a mark, after a hold came or went, after another generation, and after the clock is gone', () => {
    knowing()
    expect(moves(taking(delta(12, { x: 11 })))).toBe(true)
    expect(moves(taking(delta(12, {}, { holds: [hold('x')] })))).toBe(true)
    expect(moves(taking(delta(12)))).toBe(true)
    expect(moves(taking(delta(12, {}, { g: OTHER_G })))).toBe(true)
    expect(moves(() => clock.apply(base(4, { g: OTHER_G }), null, clock.sending()))).toBe(true)
    expect(moves(() => clock.learn(['z'], tags(4, [3], { g: OTHER_G })))).toBe(true)
    expect(moves(taking(delta(null, {}, { g: null })))).toBe(true)
  })

  it('is another one after a floor', () => {
    knowing()
    expect(moves(taking(delta(12, {}, { f: 11 })))).toBe(true)
  })

  it('is another one when the table forgets a tag', () => {
    clock = new TagClock(2)
    knowing()
    expect(clock.judgeKept(entry(10))).toBe('valid')
    expect(moves(() => clock.learn(['z'], tags(10, [null])))).toBe(true)
    expect(clock.judgeKept(entry(10))).toBe('unknown')
  })
})
