import type { CacheStore, ClockReply } from '../../src/cache/cache-store.js'
import { RedisCacheService } from '../../src/cache/cache.js'
import { type MemorySpace, spaceOf } from '../../src/cache/stores/memory-space.js'
import { MemoryHub } from '../../src/kernel/memory-hub.js'
import { MemoryCacheStore } from '../../src/cache/stores/memory.js'
import type { Clock, Timer } from '../../src/kernel/clock.js'
import { DeliveryStore, type StoreCall } from '../support/delivery-store.js'
import { dropEntry, dropLease, loseClock } from '../support/memory-faults.js'
import { SeededRandom } from '../support/seeded-random.js'
import type { NearOptions } from '../../src/cache/near-options.js'
import { ManualPushes, onWake } from '../support/manual-pushes.js'
import { QueuedPushes } from '../support/queued-pushes.js'

/**
 * A small world in which nothing happens but what the seed decides: processes, each with the real engine, talk to one memory server, and
 * every request, every reply, every wake-up and every step of a client waits until it is drawn.
 *
 * Requests of a process arrive in their order, as on a connection. Replies usually come in that order too, but one that had to be asked for
 * again (NOSCRIPT) comes late, so any may. A reply may be lost, a request may arrive long after its caller has been told that there is no
 * answer, and a lease may be asked for a second time by a copy that nobody waits for. The server's clock moves by a millisecond a request.
 */
export class World {
  readonly random: SeededRandom
  readonly clock = new SimulatedClock()
  readonly space: MemorySpace
  readonly processes: Process[]
  /** What happened, by kind, so that a test can tell that a world was not empty. */
  readonly happened: Record<string, number> = {}
  private readonly hub: MemoryHub
  private paused: Move[] = []
  /** How quick each way is in this run: what is slow lets everything else overtake it. */
  private paces = new Map<string, number>()

  constructor(
    seed: number,
    processes: number,
    private readonly faults: Faults,
    /** Filled with what happens, unless it is null. */
    private readonly trace: string[] | null,
    /** L1 of each process. */
    near: readonly (false | NearOptions)[] = [],
  ) {
    this.random = new SeededRandom(seed)
    this.hub = new MemoryHub({ clock: this.clock, random: this.random })
    this.space = spaceOf(this.hub, 'vextrus:')
    this.processes = Array.from(
      { length: processes },
      (_, i) => new Process(`P${i + 1}`, this, this.hub, near[i] ?? false),
    )
  }

  /** The processes that have not died. */
  get alive(): Process[] {
    return this.processes.filter((process) => process.isAlive)
  }

  /** How much older than what is due a read of a process may be: of one with L1 by its staleness (P2). */
  stalenessOf(name: string): number {
    return this.processes.find((process) => process.name === name)?.stalenessMs ?? 0
  }

  /** Whether all of it is held by members that stand in the store at this moment, expired or not, whoever placed them. */
  isHeld({ keys = [], tags = [] }: { keys?: readonly string[]; tags?: readonly string[] }): boolean {
    const holds = this.space.tagClock.holds()
    const held = (kind: 'key' | 'tag') => (name: string) =>
      holds.some((hold) => hold.kind === kind && hold.name === name)
    return keys.every(held('key')) && tags.every(held('tag'))
  }

  /** A point at which a client or a loader waits for its turn. */
  turn(who: string, label: string): Promise<void> {
    return new Promise((resolve) => {
      const owner = this.processes.find(({ name }) => who.startsWith(`${name}.`))
      // Nothing goes on in a process that has died.
      if (owner?.isAlive === false) return
      const move: Move = {
        way: who,
        owner,
        go: () => {
          this.paused = this.paused.filter((other) => other !== move)
          this.note(() => `${who} ${label}`)
          resolve()
        },
      }
      this.paused.push(move)
    })
  }

  /** `what` is made only when somebody wants to read it. */
  note(what: () => string): void {
    this.trace?.push(`${this.clock.mono()} ${what()}`)
  }

  count(kind: string, times = 1): void {
    this.happened[kind] = (this.happened[kind] ?? 0) + times
  }

  /** From here on it does nothing; what it had sent may still arrive. */
  private kill(process: Process): void {
    process.die(this.random.chance(0.5))
    this.paused = this.paused.filter(({ owner }) => owner !== process)
  }

  /** Runs until `work` has ended; nothing to do and nothing to wait for is a hang. */
  async run(work: Promise<unknown>): Promise<void> {
    let ended = false
    let failure: { readonly error: unknown } | undefined
    work.then(
      () => (ended = true),
      (error: unknown) => {
        ended = true
        failure = { error }
      },
    )
    for (let idle = 0, steps = 0; !ended; steps++) {
      await turnOfTheLoop()
      if (ended) break
      if (steps > ENDLESS) throw new Error(`livelock: ${ENDLESS} steps and no end`)
      if (this.step()) idle = 0
      else if (++idle > PATIENCE) throw new Error('hung: somebody waits and nothing is under way')
      // Nothing can arrive: time passes, so that leases end and timers fire.
      else if (idle > TURNS_TO_SETTLE) this.clock.advance(500)
    }
    if (failure !== undefined) throw failure.error
  }

  /** The quiet end: from here on everything arrives, in order. */
  calm(): void {
    Object.assign(this.faults, CALM)
  }

  private step(): boolean {
    const moves: Move[] = [...this.processes.flatMap((process) => process.moves(this.faults)), ...this.paused]
    if (moves.length === 0) return false
    if (this.fault()) return true
    this.draw(moves).go()
    return true
  }

  /** By pace: a run in which all are equally quick hardly ever lets one message wait for long. */
  private draw(moves: readonly Move[]): Move {
    if (this.random.chance(0.01)) this.paces.clear()
    const paces = moves.map(({ way }) => {
      let pace = this.paces.get(way)
      if (pace === undefined) this.paces.set(way, (pace = this.random.pick(PACES)))
      return pace
    })
    let drawn = this.random.float() * paces.reduce((sum, pace) => sum + pace, 0)
    return moves.find((_, i) => (drawn -= paces[i]!) < 0) ?? moves[0]!
  }

  private fault(): boolean {
    const { faults, random, space } = this
    if (!random.chance(faults.rate)) return false
    const kinds: (() => void)[] = []
    const kind = (on: boolean, name: string, happen: () => void) => {
      if (on)
        kinds.push(() => {
          this.note(() => name)
          this.count(name)
          happen()
        })
    }
    kind(faults.clockLoss, 'the clock is lost', () => loseClock(space))
    kind(faults.evictions, 'an entry is evicted', () => dropEntry(space, random))
    kind(faults.evictions, 'a lease is evicted', () => dropLease(space, random))
    kind(faults.timeJumps, 'time passes', () => this.clock.advance(random.pick([5, 200, 1_100, 3_100, 40_000])))
    const process = random.pick(this.alive)
    // The first one lives, and sees to the end what the others leave behind.
    const busy = this.alive.slice(1).filter(({ unfinished }) => unfinished > 0)
    kind(faults.crashes && busy.length > 0, 'a process dies', () => this.kill(random.pick(busy)))
    const { session } = process
    if (session !== null) {
      kind(faults.sessions, 'a session is lost', () => session.lose())
      kind(faults.sessions && session.isOpen, 'a session is silent', () => (process.silent = true))
      kind(faults.sessions && session.isOpen, 'an epoch ends', () => session.endEpoch('the simulation said so'))
    }
    kind(faults.lostAnswers && process.waiting.length > 0, 'an answer is lost', () => process.loseAnswer())
    if (kinds.length === 0) return false
    random.pick(kinds)()
    return true
  }
}

/** Something that can happen next. */
interface Move {
  readonly way: string
  /** Whose client or loader goes on. */
  readonly owner?: Process | undefined
  readonly go: () => void
}

const PACES = [0.01, 0.1, 1, 1, 4]

/** What goes wrong in a world. */
export interface Faults {
  /** Share of the steps that are a fault. */
  rate: number
  clockLoss: boolean
  evictions: boolean
  timeJumps: boolean
  lostAnswers: boolean
  /** Processes die between a commit and its invalidation. */
  crashes: boolean
  /** Copies of acquires, and replies that overtake each other. */
  disorder: boolean
  /** Sessions of pushes are lost, go silent, and begin anew. */
  sessions: boolean
  /** Rows of a delta: beyond it the reply is cut and says so. */
  deltaLimit: number
}

export const CALM: Faults = {
  rate: 0,
  clockLoss: false,
  evictions: false,
  timeJumps: false,
  lostAnswers: false,
  crashes: false,
  disorder: false,
  sessions: false,
  deltaLimit: 1_200,
}

/** One process: the engine, and its connection to the server. */
export class Process {
  readonly cache: RedisCacheService
  /** Calls whose callers wait; those that were given up and have not arrived stay on the way. */
  waiting: StoreCall[] = []
  isAlive = true
  /** How many of its clients have committed what they have not yet invalidated. */
  unfinished = 0
  readonly died: Promise<void>
  private onTheWay: StoreCall[] = []
  /** Its way of pushes, when it has L1. */
  readonly session: QueuedPushes | null
  /** Nothing comes on it any more, and nobody has noticed. */
  silent = false
  readonly stalenessMs: number
  private readonly pushes = new ManualPushes()
  /** What is on its way to the listeners of {@link pushes}. */
  private wakes: (string | null)[] = []
  private readonly asked = new Map<StoreCall, number | null>()
  private hasDied!: () => void

  constructor(
    readonly name: string,
    private readonly world: World,
    hub: MemoryHub,
    near: false | NearOptions,
  ) {
    this.died = new Promise((resolve) => (this.hasDied = resolve))
    const inner: CacheStore = new MemoryCacheStore(hub)
    this.session = near === false ? null : new QueuedPushes(inner.pushes, world.clock)
    this.session?.hold()
    this.stalenessMs = near === false || near.staleness === 'strict' ? 0 : Number(near.staleness)
    if (near === false) {
      onWake(inner.pushes, (key) => {
        if (this.isAlive && this.wakes.at(-1) !== key) this.wakes.push(key)
      })
    }
    const store = new DeliveryStore(inner, (call) => this.send(call), this.session ?? this.pushes)
    this.cache = new RedisCacheService(
      store,
      { defaultTtl: 60, jitter: 0, maxTags: MAX_TAGS, l1: near },
      { clock: world.clock, random: world.random },
    )
  }

  moves(faults: Faults): Move[] {
    const { name, world } = this
    const moves: Move[] = []
    if (this.onTheWay.length > 0) {
      moves.push({ way: `${name} requests`, go: () => this.arrive(this.onTheWay.shift()!, faults) })
    }
    const answers = this.waiting.filter((call) => call.state === 'arrived')
    if (answers.length > 0) {
      const late = faults.disorder && world.random.chance(0.2)
      const answer = late ? world.random.pick(answers) : answers[0]!
      moves.push({ way: `${name} replies`, go: () => this.reply(answer, faults) })
    }
    if (this.wakes.length > 0) moves.push({ way: `${name} wakes`, go: () => this.wake(this.wakes.shift()!) })
    if (this.session !== null && this.isAlive) moves.push(...this.sessionMoves(this.session))
    return moves
  }

  private sessionMoves(session: QueuedPushes): Move[] {
    const { name, world } = this
    const moves: Move[] = []
    const move = (way: string, go: () => void): void => {
      moves.push({
        way: `${name} ${way}`,
        go: () => {
          world.note(() => `${name} ${way}: ${[session.waiting[0], session.asking[0]].join(' | ')}`)
          go()
        },
      })
    }
    if (session.waiting.length > 0 && !this.silent) move('hears', () => session.deliver(1))
    if (session.asking.length > 0) move('asks', () => session.arrive(1))
    if (session.isPingDue) move('pings', () => session.ping())
    if (!session.isOpen) move('reopens', () => session.reopen())
    else if (this.silent || session.isLostUnnoticed) {
      move('notices', () => {
        this.silent = false
        session.notice()
      })
    }
    return moves
  }

  /** The caller of one call hears that there is no answer. Its request arrives all the same, now or later, or it has arrived. */
  loseAnswer(): void {
    const call = this.world.random.pick(this.waiting)
    this.world.note(() => `${this.name} gives up ${call.operation}`)
    this.forget(call)
    call.giveUp()
  }

  /** Nobody hears the answers any more. @param unsent what has not arrived never does */
  die(unsent: boolean): void {
    this.isAlive = false
    this.waiting = []
    this.wakes = []
    if (unsent) this.onTheWay = []
    this.hasDied()
  }

  private send(call: StoreCall): void {
    if (!this.isAlive) return
    this.world.note(() => `${this.name} sends ${call.operation} ${describe(call.args)}`)
    this.onTheWay.push(call)
    this.waiting.push(call)
  }

  private arrive(call: StoreCall, faults: Faults): void {
    this.world.clock.advance(1)
    this.world.note(() => `${this.name} ${call.operation} arrives`)
    this.world.count(call.operation)
    this.asked.set(call, sinceOf(call))
    call.arrive()
    if (call.operation === 'acquire' && faults.disorder && this.world.random.chance(0.4))
      this.onTheWay.push(call.copy())
  }

  private reply(call: StoreCall, faults: Faults): void {
    const since = this.asked.get(call) ?? null
    this.forget(call)
    call.reply((reply) => {
      const changed = asOnRedis(reply, since, faults.deltaLimit)
      this.world.note(() => `${this.name} hears of ${call.operation}: ${describe([changed])}`)
      return changed
    })
  }

  private wake(key: string | null): void {
    this.world.note(() => `${this.name} is woken for ${key ?? 'everything'}`)
    this.pushes.tell(key)
  }

  private forget(call: StoreCall): void {
    this.waiting = this.waiting.filter((other) => other !== call)
    this.asked.delete(call)
  }
}

/** Time that moves when the world says so; a timer that falls due fires on the way. */
class SimulatedClock implements Clock {
  private now = 0
  private timers: { readonly at: number; readonly fn: () => void }[] = []

  mono(): number {
    return this.now
  }

  wall(): number {
    return START + this.now
  }

  timer(ms: number, fn: () => void): Timer {
    const timer = { at: this.now + ms, fn }
    this.timers.push(timer)
    return { cancel: () => (this.timers = this.timers.filter((other) => other !== timer)) }
  }

  advance(ms: number): void {
    this.now += ms
    const due = this.timers.filter(({ at }) => at <= this.now).sort((a, b) => a.at - b.at)
    this.timers = this.timers.filter(({ at }) => at > this.now)
    for (const { fn } of due) fn()
  }
}

/** A delta as Redis tells it: cut at a limit, and `#f` only when it lies in the range asked for. */
function asOnRedis(reply: unknown, since: number | null, limit: number): unknown {
  if (since === null || typeof reply !== 'object' || reply === null || !('clock' in reply)) return reply
  const clock = reply.clock as ClockReply
  if (clock.base) return reply
  const full = clock.full || clock.tags.length >= limit
  const tags = clock.tags.slice(0, limit)
  const f = clock.f !== null && clock.f >= since ? clock.f : null
  return { ...reply, clock: { ...clock, f, tags, seqs: clock.seqs.slice(0, limit), full } }
}

function sinceOf({ operation, args }: StoreCall): number | null {
  const asks = operation === 'read' || operation === 'acquire' || operation === 'set'
  return asks ? (args[1] as number | null) : null
}

function describe(args: readonly unknown[]): string {
  const text = JSON.stringify(args) ?? ''
  return text.length > 600 ? `${text.slice(0, 600)}…` : text
}

function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The fewest that an engine accepts. */
export const MAX_TAGS = 100
const START = Date.UTC(2030, 0, 1)
/** Turns of the event loop after which the engines' own steps are done. */
const TURNS_TO_SETTLE = 4
/** Then half a second passes a turn: more than any lease lives. */
const PATIENCE = 120
const ENDLESS = 10_000
