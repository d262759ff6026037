import { describe, expect, it } from 'vitest'
import { idOf, reachable, readOwnSlots, readSlots, textOf } from './slot-map.js'
import type { RedisReply } from './topology.js'

const slots = (rows: unknown): RedisReply => rows as RedisReply

describe('the answer to CLUSTER SLOTS', () => {
  it('is read as ranges with their masters, in the order of the slots', () => {
    const reply = slots([
      [5_461, 16_383, ['10.0.0.2', 6_379, 'id2', []], ['10.0.0.4', 6_379, 'id4', []]],
      [0, 5_460, ['10.0.0.1', 6_379, 'id1', []]],
    ])
    expect(readSlots(reply, 'asked', undefined)).toEqual([
      { from: 0, to: 5_460, master: { host: '10.0.0.1', port: 6_379 } },
      { from: 5_461, to: 16_383, master: { host: '10.0.0.2', port: 6_379 } },
    ])
  })

  it.each([[null], [''], ['?']])('stands for the host that was asked where a node announces %j', (host) => {
    const [range] = readSlots(slots([[0, 1, [host, 7_000, 'id']]]), 'asked', undefined)
    expect(range!.master).toEqual({ host: 'asked', port: 7_000 })
  })

  it('is translated by natMap, a table or a function, and else as it is', () => {
    const there = { host: 'outside', port: 1 }
    const address = { host: '10.0.0.1', port: 6_379 }
    expect(reachable(address, { '10.0.0.1:6379': there })).toBe(there)
    expect(reachable(address, (announced) => (announced === '10.0.0.1:6379' ? there : null))).toBe(there)
    expect(reachable(address, { '10.0.0.2:6379': there })).toBe(address)
    expect(reachable(address, () => null)).toBe(address)
    expect(idOf(readSlots(slots([[0, 1, ['10.0.0.1', 6_379, 'id']]]), '', () => there)[0]!.master)).toBe('outside:1')
  })
})

describe('the text of a map', () => {
  const a = { host: 'a', port: 1 }
  const b = { host: 'b', port: 2 }

  it('is the same for the same division, however it is cut', () => {
    const whole = [{ from: 0, to: 9, master: a }]
    const cut = [
      { from: 0, to: 4, master: a },
      { from: 5, to: 9, master: { ...a } },
    ]
    expect(textOf(cut)).toBe(textOf(whole))
    expect(textOf(whole)).toBe('0-9 a:1')
  })

  it('is another one where a slot is another’s, or nobody’s', () => {
    const texts = [
      [{ from: 0, to: 9, master: a }],
      [{ from: 0, to: 9, master: b }],
      [
        { from: 0, to: 4, master: a },
        { from: 6, to: 9, master: a },
      ],
    ].map(textOf)
    expect(new Set(texts).size).toBe(3)
  })
})

describe('the answer to CLUSTER NODES', () => {
  const line = (flags: string, ...own: string[]): string =>
    ['07c3', '127.0.0.1:30004@31004,hostname4', flags, '-', '0', '1426238317239', '4', 'connected', ...own].join(' ')

  it('tells the slots of the node that answers, and of no other', () => {
    const reply = [line('master', '0-5460'), line('myself,master', '5461-10922', '16000'), ''].join('\n')
    expect(readOwnSlots(reply)).toEqual({
      ranges: [
        { from: 5_461, to: 10_922 },
        { from: 16_000, to: 16_000 },
      ],
      migrating: false,
    })
  })

  it.each([['[93-<-e7d1]'], ['[77->-e7d1]']])('tells of a slot on its way: %s', (mark) => {
    expect(readOwnSlots(line('myself,master', '0-100', mark))).toEqual({
      ranges: [{ from: 0, to: 100 }],
      migrating: true,
    })
  })

  it('tells of no slots at a master that has none', () => {
    expect(readOwnSlots(line('myself,master'))).toEqual({ ranges: [], migrating: false })
  })
})
