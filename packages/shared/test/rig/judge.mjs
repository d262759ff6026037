import { sourcesOf } from './catalogue.mjs'

/**
 * Holds what is read to the promises. Every value shows the versions that it is made of, and each of them must be
 *
 * - at least what was acknowledged when the read began (P1), if the cache's memory had no part in it;
 * - at least what was acknowledged `allowanceMs` before that (P2), if it may have answered;
 * - in any case at least what the process has invalidated itself (R17).
 *
 * Nothing else has to be compared, so the proof costs a look a read, whatever the number of processes.
 */
export class Judge {
  /** @param {any} surroundings those of an actor */
  constructor({ database, tally, own, naive, name }) {
    Object.assign(this, { database, tally, own, naive, name })
  }

  /** What reads of these sources that begin from now on have to show. To be awaited before they begin. @param {readonly string[]} sources */
  async demands(sources) {
    const { versions, demoting } = await this.database.acknowledged(sources)
    if (demoting) this.tally.count('readsWhileDemoting')
    return new Map(sources.map((source, i) => [source, { version: versions[i], own: this.own.of(source) }]))
  }

  /** No value is as good as a miss. */
  async judge(read, value, demanded, allowanceMs) {
    if (value === null) return
    const { key, from } = read
    this.tally.count('answers')
    if (value.key !== key) return this.tally.violation({ ...read, saw: `the value of ${value.key}`, actor: this.name })
    const shows = (source) => value.versions[source] ?? 0
    const disowned = (source) => shows(source) < (demanded.get(source).own?.version ?? 0)
    let stale = sourcesOf(key).filter((source) => shows(source) < demanded.get(source).version || disowned(source))
    if (stale.length === 0) return
    if (allowanceMs > 0) {
      const histories = await this.database.histories(stale, from - allowanceMs)
      stale = stale.filter(
        (source) => disowned(source) || from - histories.get(source).overtakenAt(shows(source)) >= allowanceMs,
      )
      if (stale.length === 0) return this.tally.count('behind')
    }
    await this.#accuse(read, value, stale, (source) => demanded.get(source), allowanceMs)
  }

  /** A read of which it is known that it was stale. */
  async #accuse(read, value, stale, demandOf, allowanceMs) {
    const show = (of) => stale.map((source) => `${source}@${of(source)}`).join(' ')
    this.report({
      ...read,
      allowanceMs,
      saw: show((source) => value.versions[source]),
      demanded: show((source) => {
        const { version, own } = demandOf(source)
        return own?.version > version ? `${own.version} (own)` : version
      }),
      acknowledged: this.naive
        ? []
        : await Promise.all(stale.map((source) => this.#spans(source, value, demandOf, read))),
    })
  }

  /** @param {any} violation of a stale read */
  report(violation) {
    this.tally.count(`stale ${violation.key.split(':')[0]}`)
    this.tally.violation({ ...violation, actor: this.name })
  }

  /** When that was acknowledged which the value does not show: what the process did itself, from its call on. */
  async #spans(source, value, demandOf, { until }) {
    const { version, own } = demandOf(source)
    const seen = value.versions[source] ?? 0
    const spans = version > seen ? await this.database.acknowledgements(source, seen, version) : []
    return own?.version > seen ? [...spans, [own.from, until]] : spans
  }
}
