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

it('a message goes to all its handlers before the next goes to any; whoever fails or takes time holds up nobody', async () => {
  const handlers = ['one', 'bad', 'slow', 'four'].map(
    (name) =>
      new Delivery<string>(10, {
        handle: (item) => {
          seen.push(`${name} ${item}`)
          if (name === 'bad') throw new Error(`bad ${item}`)
          return name === 'slow' ? new Promise<void>((resolve) => release.push(resolve)) : undefined
        },
        missed: () => undefined,
        failed: (error) => failures.push((error as Error).message),
      }),
  )
  for (const item of ['a', 'b', 'c']) for (const each of handlers) each.add(item)
  await settled()
  expect(seen).toEqual(['one a', 'bad a', 'slow a', 'four a', 'one b', 'bad b', 'four b', 'one c', 'bad c', 'four c'])
  expect(failures).toEqual(['bad a', 'bad b', 'bad c'])
  for (const item of ['b', 'c']) {
    release.pop()!()
    await settled()
    expect(seen.at(-1)).toBe(`slow ${item}`)
  }
})

it('what a handler adds comes behind what waits, and an end in the handler ends it there', async () => {
  const messages = new Delivery<string>(10, {
    handle: (item) => {
      seen.push(item)
      if (item === 'a') messages.add('c')
      if (item === 'c') void messages.end()
    },
    missed: () => undefined,
    failed: (error) => failures.push(error),
  })
  for (const item of ['a', 'b']) messages.add(item)
  await settled()
  expect(seen).toEqual(['a', 'b', 'c'])
  messages.add('d')
  await messages.idle
  expect([seen, failures]).toEqual([['a', 'b', 'c'], []])
})

it('an end within the call of the handler waits for its promise', async () => {
  let ended = false
  const messages = new Delivery<string>(10, {
    handle: () => {
      void messages.end().then(() => (ended = true))
      return new Promise<void>((resolve) => release.push(resolve))
    },
    missed: () => undefined,
    failed: (error) => failures.push(error),
  })
  messages.add('a')
  await settled()
  expect(ended).toBe(false)
  release[0]!()
  await settled()
  expect(ended).toBe(true)
})
