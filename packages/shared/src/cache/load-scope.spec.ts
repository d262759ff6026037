import { describe, expect, it } from 'vitest'
import { isInsideLoad, LoadScope } from './load-scope.js'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('the scope of a load', () => {
  it('knows the keys of the load that the caller is a part of, through every await', async () => {
    const scope = new LoadScope()
    expect(scope.has('a')).toBe(false)
    const seen = await scope.run(['a', 'b'], async () => {
      await turn()
      return [scope.has('a'), scope.has('b'), scope.has('c')]
    })
    expect(seen).toEqual([true, true, false])
    expect(scope.has('a')).toBe(false)
  })

  it('nests: a load inside a load is a part of both', async () => {
    const scope = new LoadScope()
    const inner = await scope.run(['a'], () =>
      scope.run(['b'], async () => {
        await turn()
        return [scope.has('a'), scope.has('b')]
      }),
    )
    expect(inner).toEqual([true, true])
  })

  it('is of one cache: the same key of another one is another key', async () => {
    const [one, other] = [new LoadScope(), new LoadScope()]
    const seen = await one.run(['a'], () =>
      other.run(['b'], async () => [one.has('a'), other.has('b'), other.has('a')]),
    )
    expect(seen).toEqual([true, true, false])
  })

  it('separates callers that run at the same time', async () => {
    const scope = new LoadScope()
    const run = (key: string): Promise<boolean[]> =>
      scope.run([key], async () => {
        await turn()
        return [scope.has('a'), scope.has('b')]
      })
    expect(await Promise.all([run('a'), run('b')])).toEqual([
      [true, false],
      [false, true],
    ])
  })

  it('ends with the load: what a loader leaves running is no part of it any more', async () => {
    const scope = new LoadScope()
    let later!: Promise<boolean>
    await scope.run(['a'], async () => {
      later = turn()
        .then(turn)
        .then(() => scope.has('a'))
    })
    expect(await later).toBe(false)
  })

  it('ends with a load that fails, at once or later', async () => {
    const scope = new LoadScope()
    let later!: Promise<boolean>
    const leave = (): void => void (later = turn().then(() => scope.has('a')))
    await expect(
      scope.run(['a'], () => {
        leave()
        throw new Error('at once')
      }),
    ).rejects.toThrow('at once')
    expect(await later).toBe(false)
    await expect(
      scope.run(['a'], async () => {
        leave()
        throw new Error('later')
      }),
    ).rejects.toThrow('later')
    expect(await later).toBe(false)
  })
})

describe('the question whether somebody loads (R22)', () => {
  it('is answered by any load of any cache, through every await, and not outside', async () => {
    const [one, other] = [new LoadScope(), new LoadScope()]
    expect(isInsideLoad()).toBe(false)
    const seen = await one.run(['a'], async () => {
      await turn()
      return [isInsideLoad(), await other.run([], async () => isInsideLoad())]
    })
    expect(seen).toEqual([true, true])
    expect(isInsideLoad()).toBe(false)
  })

  it('is no while others load', async () => {
    const scope = new LoadScope()
    const loading = scope.run(['a'], turn)
    expect(isInsideLoad()).toBe(false)
    await loading
  })

  it('is yes for what an inner load left running, which is a part of the outer one', async () => {
    const scope = new LoadScope()
    let left!: Promise<boolean>
    await scope.run(['a'], async () => {
      await scope.run(['b'], async () => {
        left = turn().then(() => isInsideLoad())
      })
      await left
    })
    expect(await left).toBe(true)
  })

  it('is no for what a load left running behind it, also while others load', async () => {
    const scope = new LoadScope()
    let left!: Promise<boolean>
    await scope.run(['a'], async () => {
      left = turn()
        .then(turn)
        .then(() => isInsideLoad())
    })
    const loading = scope.run(['b'], async () => void (await left))
    expect(await left).toBe(false)
    await loading
  })
})
