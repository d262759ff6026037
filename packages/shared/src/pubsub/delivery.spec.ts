import { beforeEach, expect, it } from 'vitest'
import { settled } from '../../test/support/manual-clock.js'
import { Delivery } from './delivery.js'

let seen: unknown[]
let release: (() => void)[]
let failures: unknown[]

beforeEach(() => {
  ;[seen, release, failures] = [[], [], []]
})

/** Its handler waits for `release`, unless the message is `quick`. */
function delivery(max: number, quick = false): Delivery<string> {
  return new Delivery<string>(max, {
    handle: (item) => {
      seen.push(item)
      if (item === 'bad') throw new Error('bad')
      return quick ? undefined : new Promise<void>((resolve) => release.push(resolve))
    },
    missed: (reason) => {
      seen.push({ reason })
      if (reason === 'trimmed') throw new Error('told badly')
    },
    failed: (error) => failures.push((error as Error).message),
  })
}

it('the next message waits for the one before, and none is handled in the call that brings it', async () => {
  const messages = delivery(10)
  messages.add('a')
  messages.add('b')
  expect(seen).toEqual([])
  await settled()
  expect(seen).toEqual(['a'])
  release[0]!()
  await settled()
  expect(seen).toEqual(['a', 'b'])
  let idle = false
  void messages.idle.then(() => (idle = true))
  await settled()
  expect(idle).toBe(false)
  release[1]!()
  await settled()
  expect(idle).toBe(true)
})

it('one that fails is reported, and the next is handled; so after a mark whose listener fails', async () => {
  const messages = delivery(10, true)
  messages.add('bad')
  messages.add('b')
  messages.mark('trimmed')
  messages.add('c')
  await messages.idle
  expect(seen).toEqual(['bad', 'b', { reason: 'trimmed' }, 'c'])
  expect(failures).toEqual(['bad', 'told badly'])
})

it('what is missing is told where it is missing, once in a row, and takes no place', async () => {
  const messages = delivery(2)
  messages.add('a')
  await settled()
  messages.add('b')
  messages.mark('connection')
  messages.mark('connection')
  messages.add('c')
  expect(messages.room).toBe(0)
  for (const _ of [1, 2]) {
    release.pop()!()
    await settled()
  }
  expect(seen).toEqual(['a', 'b', { reason: 'connection' }, 'c'])
})

it('dropped messages leave one mark in their place', async () => {
  const messages = delivery(3)
  messages.add('a')
  await settled()
  messages.add('b')
  messages.add('c')
  messages.mark('connection')
  messages.add('d')
  expect(messages.room).toBe(0)
  for (const item of ['e', 'f']) {
    messages.dropOldest()
    expect(messages.room).toBe(1)
    messages.add(item)
    expect(messages.room).toBe(0)
  }
  while (release.length > 0) {
    release.pop()!()
    await settled()
  }
  // The two marks met: they are one.
  expect(seen).toEqual(['a', { reason: 'slow' }, 'd', 'e', 'f'])
  messages.dropOldest()
  expect(messages.room).toBe(3)
})

it('after the end nothing is handled or told, and the end waits for what is under way', async () => {
  const messages = delivery(3)
  messages.add('a')
  messages.add('b')
  await settled()
  let ended = false
  void messages.end().then(() => (ended = true))
  messages.add('c')
  messages.mark('connection')
  await settled()
  expect([ended, messages.room]).toEqual([false, 0])
  release[0]!()
  await settled()
  expect([ended, seen]).toEqual([true, ['a']])
})
