import { ConfigurationError } from '../../kernel/errors.js'
import { type Ttl, ttlToMs } from '../../kernel/duration.js'

/** What kind of data an entry is: stands for its TTL. The module's `presets` override single ones. */
export enum CachePattern {
  /** 1 hour. */
  SESSION = 'session',
  /** 15 minutes. */
  AUTH = 'auth',
  /** 5 minutes. */
  USER = 'user',
  /** 24 hours. */
  CONFIG = 'config',
  /** 10 minutes. */
  FEATURE_FLAG = 'feature',
  /** 2 hours: countries, currencies, tax codes. */
  LOOKUP = 'lookup',
  /** 1 minute. */
  QUERY = 'query',
  /** 30 minutes. */
  REPORT = 'report',
}

/** The TTL of each pattern; numbers are seconds. */
export type PresetTtls = Readonly<Record<CachePattern, Ttl>>

/** The TTLs, in seconds, of an application that overrides none. */
export const DEFAULT_PRESETS: PresetTtls = Object.freeze({
  [CachePattern.SESSION]: 3_600,
  [CachePattern.AUTH]: 900,
  [CachePattern.USER]: 300,
  [CachePattern.CONFIG]: 86_400,
  [CachePattern.FEATURE_FLAG]: 600,
  [CachePattern.LOOKUP]: 7_200,
  [CachePattern.QUERY]: 60,
  [CachePattern.REPORT]: 1_800,
})

/** The TTLs of one connection: its `presets` over the defaults. Also the token under which decorators find them. */
export class CachePresets {
  private readonly ttls: PresetTtls

  /**
   * @param overrides the module's `presets`; a field that is undefined keeps the default
   * @param maxTtlMs the module's `maxTtl` in milliseconds
   * @throws ConfigurationError a name that is no {@link CachePattern}
   * @throws InvalidDurationError a TTL that can't be used
   */
  constructor(overrides: Partial<Record<CachePattern, Ttl | undefined>> = {}, maxTtlMs?: number) {
    const ttls: Record<CachePattern, Ttl> = { ...DEFAULT_PRESETS }
    for (const [name, ttl] of Object.entries(overrides)) {
      if (!isPattern(name)) {
        throw new ConfigurationError(`presets.${name}`, `no such pattern; there are ${Object.keys(ttls).join(', ')}`)
      }
      if (ttl === undefined) continue
      ttlToMs(ttl, `presets.${name}`, maxTtlMs)
      ttls[name] = ttl
    }
    this.ttls = Object.freeze(ttls)
  }

  /** The TTL of `pattern` as it was configured. @throws ConfigurationError not a pattern */
  ttlOf(pattern: CachePattern): Ttl {
    assertPattern(pattern, 'pattern')
    return this.ttls[pattern]
  }
}

/** Refuses what is not a pattern: untyped callers pass texts. @param option names it in the error. */
export function assertPattern(pattern: unknown, option: string): asserts pattern is CachePattern {
  if (typeof pattern === 'string' && isPattern(pattern)) return
  throw new ConfigurationError(option, `not a CachePattern; there are ${Object.values(CachePattern).join(', ')}`)
}

function isPattern(name: string): name is CachePattern {
  return Object.hasOwn(DEFAULT_PRESETS, name)
}
