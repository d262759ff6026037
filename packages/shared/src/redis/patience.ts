import { type Clock, pause } from '../kernel/clock.js'
import { Deadlines } from './deadlines.js'
import { RedisUnavailableError } from './errors.js'
import { command } from './script.js'
import type { Shard, Topology, Unit, UnitOutcome } from './topology.js'

/**
 * Less patience than the connection has: for callers that would rather decide without Redis than wait for `commandTimeout`.
 *
 * The first callers that a master doesn't answer wait for the deadline, once. Until that master has answered a probe in time, all others are
 * told at once. What was sent is not taken back: it may still be carried out.
 */
export class Patience {
  private readonly slow = new Set<string>()
  private readonly deadlines: Deadlines
  private closed = false

  /** @param timeoutMs below the connection's `commandTimeout` */
  constructor(
    private readonly topology: Topology,
    private readonly clock: Clock,
    readonly timeoutMs: number,
  ) {
    this.deadlines = new Deadlines(clock, timeoutMs)
  }

  /** Units that all go to `shard`. @throws RedisUnavailableError not answered in time, or not asked because the master is slow */
  exec(shard: Shard | undefined, units: readonly Unit[]): Promise<readonly UnitOutcome[]> {
    const id = shard?.id ?? 'an unknown master'
    if (this.slow.has(id)) return Promise.reject(this.unavailable(id, 'circuit-open'))
    return new Promise((resolve, reject) => {
      const deadline = this.deadlines.begin((why) => {
        if (why === 'deadline') this.suspect(id, units[0]!.key)
        reject(this.unavailable(id, why))
      })
      this.topology.exec(units).then(
        (outcomes) => {
          this.deadlines.met(deadline)
          resolve(outcomes)
        },
        (cause: Error) => {
          this.deadlines.met(deadline)
          reject(cause)
        },
      )
    })
  }

  close(): void {
    this.closed = true
    this.deadlines.close()
  }

  private suspect(id: string, key: string): void {
    if (this.slow.has(id) || this.closed) return
    this.slow.add(id)
    void this.probe(id, key)
  }

  private async probe(id: string, key: string): Promise<void> {
    for (;;) {
      await pause(this.clock, PROBE_MS)
      if (this.closed) return
      const sentAt = this.clock.mono()
      const [outcome] = await this.topology.exec([{ key, commands: [command('TIME', [])] }])
      if (outcome instanceof Error || this.clock.mono() - sentAt > this.timeoutMs) continue
      this.slow.delete(id)
      return
    }
  }

  private unavailable(id: string, reason: RedisUnavailableError['reason']): RedisUnavailableError {
    return new RedisUnavailableError(id, reason, { timeoutMs: this.timeoutMs })
  }
}

/** Between two probes of a slow master. */
const PROBE_MS = 100
