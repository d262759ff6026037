import { getEventListeners } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { onAbort } from './abort-listeners.js'

describe('listening to a signal', () => {
  it('tells all who listen when it aborts, once', () => {
    const controller = new AbortController()
    const heard = [vi.fn(), vi.fn()]
    for (const each of heard) onAbort(controller.signal, each)
    controller.abort()
    controller.abort()
    expect(heard.map((each) => each.mock.calls.length)).toEqual([1, 1])
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })

  it('costs the signal one listener, however many listen, and none when they have left', () => {
    const { signal } = new AbortController()
    const ends = Array.from({ length: 100 }, () => onAbort(signal, () => undefined))
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    for (const end of ends.slice(1)) end()
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    ends[0]!()
    ends[0]!()
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    const again = onAbort(signal, () => undefined)
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    again()
  })

  it('does not tell who has left', () => {
    const controller = new AbortController()
    const heard = vi.fn()
    onAbort(controller.signal, heard)()
    controller.abort()
    expect(heard).not.toHaveBeenCalled()
  })
})
