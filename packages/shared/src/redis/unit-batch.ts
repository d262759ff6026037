import { TickBatch } from '../kernel/batch.js'
import { sharesOf } from './shares.js'
import type { Topology, Unit, UnitOutcome } from './topology.js'

/** Units of many callers: those of a tick leave in one write for each master, and the answers of one that is well don't wait for one that is not. */
export class UnitBatch {
  private readonly calls: TickBatch<Call>

  /** @param max units that leave in one write: with more, the client would wait while the server works, and the server while the client does */
  constructor(
    private readonly topology: Topology,
    max: number,
  ) {
    this.calls = new TickBatch((calls) => this.flush(calls), { max })
  }

  send(unit: Unit): Promise<UnitOutcome> {
    return new Promise((resolve, reject) => this.calls.add({ unit, resolve, reject }))
  }

  private async flush(calls: readonly Call[]): Promise<void> {
    const shares = sharesOf(this.topology, calls, ({ unit }) => unit.key)
    await Promise.all([...shares.values()].map((share) => this.sendTogether(share)))
  }

  private async sendTogether(calls: readonly Call[]): Promise<void> {
    try {
      const outcomes = await this.topology.exec(calls.map(({ unit }) => unit))
      calls.forEach(({ resolve }, i) => resolve(outcomes[i]!))
    } catch (error) {
      for (const { reject } of calls) reject(error)
    }
  }
}

interface Call {
  readonly unit: Unit
  readonly resolve: (outcome: UnitOutcome) => void
  readonly reject: (error: unknown) => void
}
