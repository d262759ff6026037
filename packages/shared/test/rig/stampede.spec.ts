import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LEASE_MS } from '../../src/cache/lease-upkeep.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'
import { startWorker, type Worker, WorkerGone } from './fleet.js'

const CALLERS = 250
const WAVES = 5
/** What a busy machine may add to any time that is measured here. */
const SLACK_MS = 1_500

interface Plan {
  readonly key: string
  readonly callers?: number
  readonly loadMs: number
  readonly tags?: readonly string[]
  readonly outcome?: 'value' | 'null' | 'throw'
  readonly cacheNull?: string
  readonly dies?: boolean
}

interface Outcome {
  readonly pid: number
  readonly loads: readonly { readonly began: number; readonly ended: number }[]
  readonly answers: readonly { readonly at: number; readonly value?: unknown; readonly error?: string }[]
}

/** Promise P3 with real processes: one load a key, whoever asks, and waiters that are woken by a push. */
describe('a thousand callers of one key in four processes', () => {
  let server: RedisServer
  let fleet: Worker[]
  let dyingAt: number

  beforeAll(async () => {
    server = await startRedis()
    await server.command('ACL', 'SETUSER', 'untracked', 'on', '>secret', '~vextrus*', '&vextrus*', '+@all', '-client')
    fleet = await startFleet()
  })
  afterAll(async () => {
    await Promise.all(fleet.map((worker) => worker.close()))
    await server.stop()
  })

  const startFleet = (user: object = {}): Promise<Worker[]> =>
    Promise.all([1, 2, 3, 4].map((number) => startOne(number, user)))
  const startOne = (number: number, user: object = {}): Promise<Worker> =>
    startWorker(
      {
        name: `process ${number}`,
        mode: 'vextrus',
        redis: { host: server.host, port: server.port, commandTimeout: '10s', ...user },
      },
      { dying: (at) => (dyingAt = at) },
    )

  it.each([
    ['without tags', []],
    ['with tags', ['tenant:t1', 'category:7']],
  ])('cost one load, and the other processes answer at once when it is stored, %s', async (name, tags) => {
    const fills = await FillTimes.watch(server)
    const medians: number[] = []
    for (let wave = 1; wave <= WAVES; wave++) {
      const key = `wave:${name}:${wave}`
      const outcomes = await stampede(fleet, { key, loadMs: 200, tags })
      expectOneLoad(outcomes)
      const waits = waitsOf(outcomes, await fills.of(key))
      expect(waits).toHaveLength(3 * CALLERS)
      medians.push(quantile(waits, 0.5))
      console.log(`stampede ${name}, wave ${wave}: answered after the fill in other processes, ${shown(waits)}`)
    }
    fills.close()
    console.log(
      `stampede ${name}: best median of ${WAVES} waves ${Math.min(...medians).toFixed(2)} ms (the aim is 5 ms)`,
    )
    // What else runs on this machine adds to it, and it may be much: the proof that nobody polls is the next test.
    expect(Math.min(...medians)).toBeLessThan(100)
  })

  it('ask nothing while they wait', async () => {
    // Whoever asks for an entry asks for the news of the tag clock.
    const reads = async (): Promise<number> =>
      Number(
        /^cmdstat_zrevrangebyscore:calls=(\d+)/m.exec(String(await server.command('INFO', 'commandstats')))?.[1] ?? 0,
      )
    const before = await reads()
    expectOneLoad(await stampede(fleet, { key: 'long', loadMs: 1_500 }))
    const asked = (await reads()) - before
    console.log(`stampede, a load of 1,500 ms: ${asked} reads of four processes from beginning to end`)
    // One before, one beside the question for the lease, one after; more only where the callers of a process came in several ticks.
    expect(asked).toBeGreaterThanOrEqual(4 + 4 + 3)
    expect(asked).toBeLessThan(24)
  })

  it('are delayed by its lease at most when the loading process is killed', async () => {
    const [first, ...others] = fleet as [Worker, Worker, Worker, Worker]
    // Long enough for the lease to be renewed once: it then has its whole life again.
    const killed = first.ask('stampede', { key: 'killed', callers: 1, startAt: machineMs(), loadMs: 1_200, dies: true })
    const gone = killed.catch((error: unknown) => error)
    await leaseOf('killed')
    const outcomes = await stampede(others, { key: 'killed', loadMs: 100, tags: ['tenant:t1'] })
    expect(await gone).toBeInstanceOf(WorkerGone)
    const last = Math.max(...outcomes.flatMap(({ answers }) => answers.map(({ at }) => at)))
    console.log(`stampede, loader killed: the last answer came ${(last - dyingAt).toFixed(0)} ms after its death`)
    expectOneLoad(outcomes)
    expect(last - dyingAt).toBeLessThan(LEASE_MS + 100 + SLACK_MS)
    fleet[0] = await startOne(1)
  })

  it('get the error of their own process once each, and every process tries once', async () => {
    const outcomes = await stampede(fleet, { key: 'throws', loadMs: 200, outcome: 'throw' })
    for (const { pid, loads, answers } of outcomes) {
      expect(loads).toHaveLength(1)
      expect(new Set(answers.map(({ error }) => error))).toEqual(new Set([`the load of ${pid} failed`]))
    }
    expect(await server.command('EXISTS', 'vextrus:throws')).toBe(0)
  })

  it('get the value of the next process when the load of the first one fails', async () => {
    const [first, ...others] = fleet as [Worker, Worker, Worker, Worker]
    const failing = first.ask<Outcome>('stampede', {
      key: 'fails',
      callers: 1,
      startAt: machineMs(),
      loadMs: 500,
      outcome: 'throw',
    })
    await leaseOf('fails')
    const outcomes = await stampede(others, { key: 'fails', loadMs: 200 })
    expect((await failing).answers[0]!.error).toMatch(/failed$/)
    expectOneLoad(outcomes)
    const failedAt = (await failing).loads[0]!.ended
    const nextBegan = Math.min(...outcomes.flatMap(({ loads }) => loads.map(({ began }) => began)))
    console.log(`stampede, load failed: the next process began its own after ${(nextBegan - failedAt).toFixed(2)} ms`)
    expect(nextBegan - failedAt).toBeLessThan(SLACK_MS)
  })

  it('all get null from loads that are not stored, without queueing up behind each other', async () => {
    const outcomes = await stampede(fleet, { key: 'nulls', loadMs: 1_000, outcome: 'null' })
    for (const { loads, answers } of outcomes) {
      expect(loads).toHaveLength(1)
      expect(answers.every(({ value }) => value === null)).toBe(true)
    }
    // Who has waited for two others loads at once: the third and the fourth process load side by side (R10).
    const [, , third, fourth] = outcomes.map(({ loads }) => loads[0]!).sort((a, b) => a.began - b.began)
    expect(fourth!.began).toBeLessThan(third!.ended)
  })

  it('all get null from one load when a null is kept', async () => {
    const outcomes = await stampede(fleet, { key: 'kept-null', loadMs: 200, outcome: 'null', cacheNull: '1m' })
    expect(outcomes.flatMap(({ loads }) => loads)).toHaveLength(1)
    for (const { answers } of outcomes) expect(answers.every(({ value }) => value === null)).toBe(true)
  })

  it('cost one load also where the server allows no tracking', async () => {
    const untracked = await startFleet({ username: 'untracked', password: 'secret' })
    try {
      const outcomes = await stampede(untracked, { key: 'untracked', loadMs: 300 })
      expectOneLoad(outcomes)
      const waits = waitsOf(outcomes, endOfLoad(outcomes))
      console.log(`stampede without tracking: answered after the load in other processes, ${shown(waits)}`)
      expect(quantile(waits, 0.5)).toBeLessThan(SLACK_MS)
    } finally {
      await Promise.all(untracked.map((worker) => worker.close()))
    }
  })

  /** All at one moment, in every one of these processes. */
  async function stampede(workers: readonly Worker[], plan: Plan): Promise<Outcome[]> {
    const startAt = machineMs() + 50
    return Promise.all(
      workers.map(async (worker) => ({
        pid: worker.pid,
        ...(await worker.ask<Omit<Outcome, 'pid'>>('stampede', { callers: CALLERS, ...plan, startAt })),
      })),
    )
  }

  /** Until somebody holds the lease of the key. */
  async function leaseOf(key: string): Promise<void> {
    await expect
      .poll(() => server.command('EXISTS', `vextrus@lease:{vextrus:${key}}:${key}`), { timeout: 10_000, interval: 5 })
      .toBe(1)
  }
})

/** One load, and everybody has its value. */
function expectOneLoad(outcomes: readonly Outcome[]): void {
  const loaders = outcomes.filter(({ loads }) => loads.length > 0)
  expect(loaders.map(({ loads }) => loads.length)).toEqual([1])
  for (const { answers } of outcomes) {
    expect(answers).toHaveLength(CALLERS)
    for (const { value } of answers) expect(value).toMatchObject({ loadedBy: loaders[0]!.pid })
  }
}

const endOfLoad = (outcomes: readonly Outcome[]): number =>
  outcomes.find(({ loads }) => loads.length > 0)!.loads[0]!.ended

/** For each caller in a process that did not load: ms from then to its answer, the shortest first. */
function waitsOf(outcomes: readonly Outcome[], from: number): number[] {
  return outcomes
    .filter(({ loads }) => loads.length === 0)
    .flatMap(({ answers }) => answers.map(({ at }) => at - from))
    .sort((a, b) => a - b)
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!

const shown = (sorted: readonly number[]): string =>
  `median ${quantile(sorted, 0.5).toFixed(2)} ms, p99 ${quantile(sorted, 0.99).toFixed(2)} ms`

const machineMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** When entries were stored, by the server's own account: MONITOR stamps each command, those of scripts as well, with its clock. */
class FillTimes {
  static async watch(server: RedisServer): Promise<FillTimes> {
    const asked = machineMs()
    const [seconds, micros] = (await server.command('TIME')) as [string, string]
    const ahead = Number(seconds) * 1_000 + Number(micros) / 1_000 - (asked + machineMs()) / 2
    const socket = connect({ host: server.host, port: server.port })
    const times = new FillTimes(socket, ahead)
    socket.write('MONITOR\r\n')
    await once(socket, 'data')
    return times
  }

  private readonly stored = new Map<string, number>()

  private constructor(
    private readonly socket: Socket,
    ahead: number,
  ) {
    createInterface(socket).on('line', (line) => {
      const [, seconds, key] = /^\+([\d.]+) \[.*?\] "SET" "vextrus:(.*?)"/i.exec(line) ?? []
      if (key !== undefined) this.stored.set(key, Number(seconds) * 1_000 - ahead)
    })
  }

  /** Machine ms. */
  async of(key: string): Promise<number> {
    await waitFor(`the account of ${key}`, () => this.stored.has(key))
    return this.stored.get(key)!
  }

  close(): void {
    this.socket.destroy()
  }
}
