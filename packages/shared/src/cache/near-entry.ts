import { canFreeze, type CopyPlan, copyBy, deepFreeze, survey } from '../kernel/deep-copy.js'
import type { StoredEntry } from './cache-store.js'
import { FARTHEST_REFRESH } from './early-refresh.js'
import type { NearValuesMode } from './near-options.js'
import { Counts } from './statistics.js'

/**
 * An entry in this process's memory: its header, and its value once somebody has asked for it. Until then it keeps the payload: what is read
 * from the store once and not again is never unpacked for L1.
 */
export class NearEntry implements StoredEntry {
  readonly g: string
  readonly s: number
  readonly e: string
  readonly softAt: number
  readonly hardAt: number
  readonly deltaMs: number
  readonly codec: string
  readonly version: string | null
  readonly tags: readonly string[]
  readonly nearMs: number | undefined
  payload: string | Buffer
  /** Monotonic ms at which it becomes stale. */
  readonly staleAt: number
  /** Monotonic ms before which the early refresh is out of reach (R15). */
  readonly calmUntil: number
  /** The tag clock's stamp under which it was last judged valid. */
  judgedAt = 0
  /** Of its key group; detached until its first hit. */
  counts: Counts = NO_COUNTS
  /** {@link handOut} answers values. */
  unpacked = false
  private value: unknown = undefined
  private valueBytes = 0
  private plan: CopyPlan | null = null

  /**
   * @param offsetMs the process's monotonic time less the server's
   */
  constructor(
    entry: StoredEntry,
    private readonly offsetMs: number,
    private readonly mode: NearValuesMode,
  ) {
    this.g = entry.g
    this.s = entry.s
    this.e = entry.e
    this.softAt = entry.softAt
    this.hardAt = entry.hardAt
    this.deltaMs = entry.deltaMs
    this.codec = entry.codec
    this.version = entry.version
    this.tags = entry.tags
    this.nearMs = entry.nearMs
    this.payload = entry.payload
    this.staleAt = entry.softAt + offsetMs
    this.calmUntil = this.staleAt - FARTHEST_REFRESH * entry.deltaMs
  }

  /** What it weighs beside its key, bytes: an estimate, of the payload's length or, once unpacked, of the value: the two may differ by far. */
  get weight(): number {
    let bytes = OVERHEAD_BYTES + (this.unpacked ? this.valueBytes : BYTES_A_CHARACTER * this.payload.length)
    for (const tag of this.tags) bytes += TAG_BYTES + BYTES_A_CHARACTER * tag.length
    return bytes
  }

  /** The server's time at a monotonic time of this process. */
  storeTime(mono: number): number {
    return Math.floor(mono - this.offsetMs)
  }

  /** Takes in the value of its payload, and answers one for the caller. It must be new, and nobody else's. */
  unpack(value: unknown): unknown {
    // Two hits may have unpacked it at once.
    if (this.unpacked) return this.handOut()
    const { plan, bytes } = survey(value)
    // It holds what can't be copied, a custom serializer's objects for example: each hit reads the payload anew.
    if (this.mode !== 'shared' && plan === null) return value
    this.value = value
    this.valueBytes = Math.max(bytes, BYTES_A_CHARACTER * this.payload.length)
    this.plan = this.mode === 'copy' || (this.mode === 'frozen' && !canFreeze(plan!)) ? plan : null
    this.unpacked = true
    this.payload = ''
    return this.handOut()
  }

  /** The value for one caller. */
  handOut(): unknown {
    if (this.plan === null) return this.value
    const copy = copyBy(this.plan, this.value)
    return this.mode === 'frozen' ? deepFreeze(copy) : copy
  }
}

/** Of the header, the map and the object. */
const OVERHEAD_BYTES = 500
const BYTES_A_CHARACTER = 2
/** A short list of tags is shared by many entries; a long one, of up to 128 KB, is not. */
const TAG_BYTES = 24
const NO_COUNTS = Object.assign(new Counts(), { detached: true })
