import { type Environment, readServiceConfig, readVariables, type ServiceConfig, variable } from '@vextrus/service-kit'
import { z } from 'zod'

/** What the service needs to know before it starts. */
export interface Config extends ServiceConfig {
  /** Whether the service sends itself a burst of traffic after it has started, and prints what it measured. */
  readonly burst: boolean
}

const own = z.object({ BURST: variable.pipe(z.enum(['on', 'off'], 'must be on or off').optional()) })

/** Reads the configuration from environment variables. Throws an error that names the variable, never its value. */
export function readConfig(env: Environment): Config {
  return { ...readServiceConfig(env, 3000), burst: readVariables(own, env).BURST !== 'off' }
}
