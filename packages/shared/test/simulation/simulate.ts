import type { NearOptions } from '../../src/cache/near-options.js'
import { openTickets } from '../support/near-world.js'
import { SeededRandom } from '../support/seeded-random.js'
import { CATALOGUE, rowOf, TAGS } from './catalogue.js'
import { Client, type Habit, type Habits } from './client.js'
import { Model } from './model.js'
import { CALM, type Faults, World } from './world.js'

/** What a run came to: how often what happened in it. */
export type Happened = Record<string, number>

/** One run, decided by its seed. Throws what broke a promise, with the seed and what led to it. */
export function simulate(seed: number): Promise<Happened> {
  return traced(seed, (trace) => {
    const random = new SeededRandom(-seed)
    const theme = random.pick(THEMES)
    const wrong = { ...faults(random), ...theme.faults }
    const habits = theme.habits(random)
    // Writers who take turns would wait for ever for one that has died.
    const takeTurns = habits.rows.some(({ set }) => set === true)
    return once(seed, random, { ...wrong, crashes: wrong.crashes && !takeTurns }, habits, trace)
  })
}

/** One run of processes that have L1, most of them, and whose sessions are lost, go silent and begin anew. */
export function simulateNear(seed: number): Promise<Happened> {
  return traced(seed, (trace) => {
    const random = new SeededRandom(-seed)
    const theme = random.pick(NEAR_THEMES)
    const wrong = { ...faults(random), sessions: random.chance(0.5), ...theme.faults }
    const habits = theme.habits(random)
    const takeTurns = habits.rows.some(({ set }) => set === true)
    const near = [nearOf(random, 0), nearOf(random, 0.2), nearOf(random, 0.4)]
    return once(seed, random, { ...wrong, crashes: wrong.crashes && !takeTurns }, habits, trace, near)
  })
}

function nearOf(random: SeededRandom, without: number): false | NearOptions {
  if (random.chance(without)) return false
  return { staleness: random.pick([2_000, 2_000, 400, 'strict']), maxEntries: random.pick([2, 50]) }
}

/** A run in which nothing goes wrong and nobody writes: whatever the order of the messages, each key is loaded once (P3). */
export function simulateLoads(seed: number): Promise<Happened> {
  return traced(seed, async (trace) => {
    const random = new SeededRandom(-seed)
    const habits: Habits = {
      ...only(
        random,
        CATALOGUE.map(({ name }) => name),
        { load: 1 },
      ),
      reliable: true,
    }
    const happened = await once(seed, random, { ...CALM }, habits, trace)
    const twice = Object.entries(happened).find(([kind, times]) => kind.startsWith('loads of ') && times > 1)
    if (twice !== undefined) throw new Error(twice.join(': '))
    return happened
  })
}

async function traced(seed: number, run: (trace: string[] | null) => Promise<Happened>): Promise<Happened> {
  try {
    return await run(null)
  } catch {
    const trace: string[] = []
    await run(trace).catch((cause: unknown) => {
      const what = cause instanceof Error ? cause.message : String(cause)
      throw new Error(`seed ${seed}: ${what}\n${trace.slice(-LAST_STEPS).join('\n')}`, { cause })
    })
    throw new Error(`seed ${seed} failed once and not again: something in this world is not decided by the seed`)
  }
}

async function once(
  seed: number,
  random: SeededRandom,
  faults: Faults,
  habits: Habits,
  trace: string[] | null,
  near: readonly (false | NearOptions)[] = [],
): Promise<Happened> {
  const world = new World(seed, 2 + random.int(2), faults, trace, near)
  const model = new Model(world)
  const callers = 1 + random.int(3)
  const clients = world.processes.flatMap((process) =>
    Array.from({ length: callers }, (_, i) => ({ process, client: new Client(world, model, process, habits, i + 1) })),
  )
  // What is read once is in no L1.
  const operations = near.length === 0 ? 4 + random.int(6) : 8 + random.int(14)
  await world.run(
    Promise.all(clients.map(({ process, client }) => Promise.race([client.run(operations), process.died]))),
  )
  for (const { cache } of world.processes) {
    world.count('hits', cache.getStatistics().hits)
    world.count('stale hits', cache.getStatistics().stale)
    world.count('hits of L1', cache.getStatistics().l1.hits)
  }
  world.calm()
  await world.run(atRest(world, model))
  model.check()
  for (const { cache, session, name } of world.alive) {
    if (session !== null && openTickets({ cache }) > 0) model.fail(`${name} has tickets that nobody will close`)
  }
  model.check()
  return world.happened
}

/** A run has some of the faults, or none. */
function faults(random: SeededRandom): Faults {
  if (random.chance(0.2)) return { ...CALM }
  const on = (): boolean => random.chance(0.4)
  return {
    rate: random.pick([0.02, 0.06]),
    clockLoss: on(),
    evictions: on(),
    timeJumps: on(),
    lostAnswers: on(),
    crashes: on(),
    disorder: on(),
    sessions: false,
    deltaLimit: on() ? 60 : 1_200,
  }
}

interface Theme {
  readonly faults?: Partial<Faults>
  habits(random: SeededRandom): Habits
}

/** Who is acknowledged a version stays, while its entry does: nothing takes that away. */
const VERSIONED: Partial<Faults> = {
  ...{ evictions: false, clockLoss: false, timeJumps: false, lostAnswers: false, crashes: false },
}

/** What runs are about. Most are about anything; some dwell on what anything hardly ever comes to. */
const THEMES: readonly Theme[] = [
  { habits: anything },
  { habits: anything },
  { habits: anything },
  // Marks are dropped, and entries that may have carried them are judged by the floor.
  { habits: (random) => only(random, ['b', 'e', 'f'], { load: 30, get: 10, tag: 20, tags: 20 }) },
  // Generations come and go.
  {
    faults: { rate: 0.04, clockLoss: true },
    habits: (random) => only(random, ['a', 'b', 'c', 'e'], { load: 40, tag: 10, set: 10, clear: 10 }),
  },
  // Writers that overtake each other's invalidations.
  { habits: (random) => only(random, ['b', 'c', 'd', 'e'], { load: 20, get: 20, tag: 25, set: 20 }) },
  // Work with invalidations around it, by processes that die of it.
  {
    faults: { rate: 0.06, crashes: true },
    habits: (random) => ({
      ...only(random, ['a', 'b', 'e', 'f'], { load: 40, get: 10, around: 30, tag: 4, delete: 4 }),
      grace: random.chance(0.3),
    }),
  },
  // The same at one tag: what is loaded under its hold is stored, for nobody knows the tags of a load before, and must go with the hold.
  {
    faults: { rate: 0.1, crashes: true, timeJumps: false, evictions: false, lostAnswers: false, clockLoss: false },
    habits: (random) => ({
      ...only(random, ['b', 'e'], { load: 60, around: 5 }),
      tags: ['x'],
    }),
  },
  // Entries that are served after their time.
  {
    faults: { rate: 0.06, timeJumps: true },
    habits: (random) => ({
      ...only(random, ['a', 'b', 'e', 'f'], { load: 60, get: 10, delete: 8, tag: 8, pattern: 8, around: 4 }),
      grace: true,
    }),
  },
  // Callers that give up, with a stale value or without one, while what they waited for goes on.
  {
    faults: { rate: 0.06, timeJumps: true },
    habits: (random) => ({
      ...only(random, ['a', 'b', 'e', 'f'], { load: 60, get: 10, delete: 8, tag: 8 }),
      grace: random.chance(0.6),
      impatient: true,
    }),
  },
  // Versions.
  {
    faults: VERSIONED,
    habits: (random) => only(random, ['v'], { load: 20, get: 10, set: 40 }),
  },
  // Crowds at one key.
  { habits: (random) => only(random, [random.pick(['a', 'b', 'e'])], { load: 50, delete: 8, tag: 8, clear: 4 }) },
]

/** With L1: the same keys again and again, and writes now and then. */
const NEAR_THEMES: readonly Theme[] = [
  { habits: anything },
  { habits: (random) => only(random, ['a', 'b', 'e', 'f'], { load: 40, get: 40, delete: 8, tag: 8 }) },
  { habits: (random) => only(random, ['b', 'e'], { load: 20, get: 60, tag: 12 }) },
  { habits: (random) => only(random, ['a', 'c', 'd'], { load: 20, get: 50, set: 12, delete: 6, touch: 4 }) },
  { habits: (random) => only(random, ['a', 'b', 'c'], { load: 30, get: 50, clear: 6, pattern: 6 }) },
  // A value that is computed from another one, which L1 may have older.
  {
    faults: { sessions: true, timeJumps: true, rate: 0.04 },
    habits: () => ({
      ...{ rows: ['e', 'f'].map(rowOf), tags: ['x'] },
      weights: { ...NO_HABITS, load: 60, get: 20, pattern: 16 },
    }),
  },
  {
    faults: { crashes: true },
    habits: (random) => only(random, ['a', 'b', 'e'], { load: 30, get: 40, around: 12, tag: 4 }),
  },
  { habits: (random) => only(random, ['v'], { load: 20, get: 50, set: 20 }), faults: VERSIONED },
  {
    faults: { timeJumps: true },
    habits: (random) => ({ ...only(random, ['a', 'b', 'e'], { load: 50, get: 30, delete: 6, tag: 6 }), grace: true }),
  },
  { habits: (random) => only(random, ['b', 'e', 'filler'], { load: 40, get: 30, tag: 10, tags: 8 }) },
]

/** A few of the keys, and some of the ways to read and to write them; at least one that writes. */
function anything(random: SeededRandom): Habits {
  const maybe = (weight: number): number => (random.chance(0.5) ? weight : 0)
  const weights: Record<Habit, number> = {
    ...NO_HABITS,
    load: 40,
    get: maybe(10),
    many: maybe(10),
    delete: maybe(15),
    tag: maybe(20),
    tags: random.chance(0.3) ? 8 : 0,
    set: maybe(15),
    touch: maybe(3),
    clear: random.chance(0.3) ? 10 : 0,
    pattern: random.chance(0.3) ? 10 : 0,
    around: random.chance(0.3) ? 10 : 0,
  }
  weights[random.pick(['delete', 'tag', 'set', 'clear', 'pattern', 'around'] as const)] ||= 15
  const rows = some(random, UNVERSIONED, random.pick([1, 1, 2, 3, UNVERSIONED.length]))
  return { rows, tags: some(random, TAGS, random.pick([1, 2, 3])), weights, grace: random.chance(0.3) }
}

function only(random: SeededRandom, keys: readonly string[], weights: Partial<Record<Habit, number>>): Habits {
  const rows = some(random, keys, random.pick([1, 1, 2])).map(rowOf)
  return { rows, tags: some(random, TAGS, 2), weights: { ...NO_HABITS, ...weights } }
}

function some<T>(random: SeededRandom, list: readonly T[], count: number): T[] {
  const left = [...list]
  while (left.length > count) left.splice(random.int(left.length), 1)
  return left
}

/** When nobody writes any more, and after one more invalidation of all, every process answers what the database holds. */
async function atRest(world: World, model: Model): Promise<void> {
  const rows = CATALOGUE.filter(({ from }) => from === undefined)
  const names = rows.map(({ name }) => name)
  const readAll = async (read: (process: World['processes'][number]) => Promise<unknown[]>): Promise<void> => {
    for (const process of world.alive) model.reading(names, process.name)(await read(process))
  }
  await readAll(({ cache }) => cache.getMany(names))
  // What owners have left behind expires, and whoever sees it finishes it (R13); what was stored under it goes with it.
  for (let looks = 0; looks < 5 && world.space.tagClock.holds().length > 0; looks++) {
    world.clock.advance(31_000)
    await readAll(({ cache }) => cache.getMany(names))
  }
  await readAll(({ cache }) => cache.getMany(names))
  for (const { kind, name } of world.space.tagClock.holds()) model.fail(`the ${kind} ${name} is held for ever`)
  await model.invalidates('delete all', rows, world.processes[0]!.name, () => world.processes[0]!.cache.delete(names))
  await readAll(({ cache }) => Promise.all(names.map((key) => cache.getOrSet(key, () => model.value(key)))))
  await readAll(({ cache }) => cache.getMany(names))
}

const UNVERSIONED = CATALOGUE.filter(({ versioned }) => versioned === undefined)

const NO_HABITS: Readonly<Record<Habit, number>> = {
  load: 0,
  get: 0,
  many: 0,
  delete: 0,
  tag: 0,
  tags: 0,
  set: 0,
  touch: 0,
  clear: 0,
  pattern: 0,
  around: 0,
}
const LAST_STEPS = 400
