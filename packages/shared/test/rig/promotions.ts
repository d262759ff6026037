import { setTimeout } from 'node:timers/promises'
import type { RedisServer } from '../support/redis-server.js'
import type { Violation } from './fleet.js'

/** How long a master that was demoted may be believed in: one heartbeat of the connections. */
export const HEARTBEAT_MS = 500
const LOOK_MS = 3
const PATIENCE_MS = 60_000

/** A promotion beside which the old master went on. Machine ms. */
export interface Promotion {
  /** The last look at which the new master was none. */
  readonly from: number
  /** One heartbeat after processes could know of it: up to then the old master's answers are not covered by what is promised. */
  readonly until: number
  /** One heartbeat after the old master said that it is none any more. */
  demoted: number
}

/**
 * Looks at servers while one takes over from another, and says which stale reads that excuses.
 *
 * Not promised is what a demoted master answers until that is noticed, one heartbeat, nor what was written to it in that time: it
 * acknowledges, and then throws away what it has. So there are two excuses, and both end one heartbeat after the promotion was made known (by
 * the first Sentinel that names the new master): the *read* was under way in that time, or every *invalidation* that its value does not show
 * was.
 */
export class Promotions {
  readonly list: Promotion[] = []

  /** @param tell told until when the present one excuses reads, machine ms */
  constructor(private readonly tell: (until: number) => Promise<unknown>) {}

  /** Watches until one of these is a master. */
  async promoted(candidates: readonly RedisServer[]): Promise<{ readonly server: RedisServer; readonly from: number }> {
    const deadline = performance.now() + PATIENCE_MS
    let from = machineMs()
    for (;;) {
      const asked = machineMs()
      const roles = await Promise.all(candidates.map(roleOf))
      const server = candidates[roles.indexOf('master')]
      if (server !== undefined) return { server, from }
      if (performance.now() > deadline) throw new Error('no replica was promoted')
      from = asked
      await setTimeout(LOOK_MS)
    }
  }

  /** Processes can know of it, and the old master is still there to be believed in. @param from of {@link promoted} */
  async known(from: number): Promise<void> {
    const until = machineMs() + HEARTBEAT_MS
    this.list.push({ from, until, demoted: Infinity })
    await this.tell(until)
  }

  /** Watches until the old master is a replica. */
  async demoted(old: RedisServer): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while ((await roleOf(old)) !== 'slave') {
      if (performance.now() > deadline) throw new Error('the old master did not become a replica')
      await setTimeout(LOOK_MS)
    }
    const last = this.list.at(-1)
    if (last?.demoted === Infinity) last.demoted = machineMs() + HEARTBEAT_MS
  }

  /** Why this is none; undefined: it is one. */
  excuse({ from, until, acknowledged }: Violation): 'read' | 'lost write' | undefined {
    if (from !== undefined && until !== undefined && this.overlap([from, until])) return 'read'
    if (acknowledged === undefined || acknowledged.length === 0) return undefined
    const lost = acknowledged.every((spans) => spans.length > 0 && spans.every((span) => this.overlap(span)))
    return lost ? 'lost write' : undefined
  }

  /** It would be excused if the old master were believed in until it said otherwise itself: for whoever looks into it. */
  betweenTwoMasters({ from, until, acknowledged }: Violation): boolean {
    const within = ([a, b]: readonly [number, number]): boolean =>
      this.list.some((promotion) => a <= promotion.demoted && b >= promotion.from)
    if (from !== undefined && until !== undefined && within([from, until])) return true
    return acknowledged !== undefined && acknowledged.every((spans) => spans.length > 0 && spans.every(within))
  }

  private overlap([from, until]: readonly [number, number]): boolean {
    return this.list.some((promotion) => from <= promotion.until && until >= promotion.from)
  }
}

/** Undefined: it does not answer. */
async function roleOf(server: RedisServer): Promise<string | undefined> {
  try {
    return ((await server.command('ROLE')) as [string])[0]
  } catch {
    return undefined
  }
}

const machineMs = (): number => Number(process.hrtime.bigint()) / 1e6
