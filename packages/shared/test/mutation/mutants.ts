import { CLOCK_MUTANTS } from './clock-mutants.js'
import { FAILURE_MUTANTS } from './failure-mutants.js'
import { GUARD_MUTANTS } from './guard-mutants.js'
import { HELD_LOCK_MUTANTS } from './held-lock-mutants.js'
import { HOLD_MUTANTS } from './hold-mutants.js'
import { JWT_MUTANTS } from './jwt-mutants.js'
import { LIMIT_MUTANTS } from './limit-mutants.js'
import { LOAD_MUTANTS } from './load-mutants.js'
import { LOCK_MUTANTS } from './lock-mutants.js'
import { LOCK_STORE_MUTANTS } from './lock-store-mutants.js'
import { type Mutant, NEAR_SIMULATION, SIMULATION } from './mutant.js'
import { NEAR_CACHE_MUTANTS } from './near-cache-mutants.js'
import { NEAR_MUTANTS } from './near-mutants.js'
import { NEAR_VALUE_MUTANTS } from './near-value-mutants.js'
import { PATIENCE_MUTANTS } from './patience-mutants.js'
import { PUBSUB_MUTANTS } from './pubsub-mutants.js'
import { SESSION_MUTANTS } from './session-mutants.js'
import { VERSION_MUTANTS } from './version-mutants.js'
import { WRITE_MUTANTS } from './write-mutants.js'

/**
 * Known bugs, at least one for each rule that looks fussy. The gate (`run.mjs`) puts each of them back into the source as the tests see it,
 * and the test named with it must fail. The product carries no switch for it.
 */
const ALL: readonly Mutant[] = [
  ...CLOCK_MUTANTS,
  ...LOAD_MUTANTS,
  ...PATIENCE_MUTANTS,
  ...WRITE_MUTANTS,
  ...VERSION_MUTANTS,
  ...HOLD_MUTANTS,
  ...FAILURE_MUTANTS,
  ...GUARD_MUTANTS,
  ...NEAR_MUTANTS,
  ...NEAR_CACHE_MUTANTS,
  ...NEAR_VALUE_MUTANTS,
  ...LOCK_STORE_MUTANTS,
  ...HELD_LOCK_MUTANTS,
  ...LOCK_MUTANTS,
  ...LIMIT_MUTANTS,
  ...SESSION_MUTANTS,
  ...JWT_MUTANTS,
  ...PUBSUB_MUTANTS,
]

/** These are found a second time, by the simulation: a simulation that finds nothing proves nothing. */
const BY_SIMULATION = [
  'joiner without clock',
  'S kept across #g',
  'fill without the lease compare, in memory',
  'version ignored',
  'expired hold counts no more',
  'nothing invalidated when the work throws',
]

/** And these by the simulation of processes with L1. */
const BY_NEAR_SIMULATION = [
  'no ticket',
  'hits without lease',
  'reset keeps entries',
  'nested reads from L1',
  'strict looked up before the PONG',
]

export const MUTANTS: readonly Mutant[] = [
  ...ALL,
  ...ALL.filter(({ name }) => BY_NEAR_SIMULATION.includes(name)).map((mutant): Mutant => ({
    ...mutant,
    name: `${mutant.name} (near simulation)`,
    killer: [NEAR_SIMULATION, 'answer nothing older than the staleness allows'],
  })),
  ...ALL.filter(({ name }) => BY_SIMULATION.includes(name)).map((mutant): Mutant => ({
    ...mutant,
    name: `${mutant.name} (simulation)`,
    killer: [SIMULATION, 'was invalidated before the read began, from seed 1 on'],
  })),
]
