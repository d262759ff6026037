import { setTimeout } from 'node:timers/promises'
import { machineMs } from './machine-ms.mjs'

/**
 * Many callers of one key at once.
 *
 * @param {any} cache
 * @param {object} plan
 * @param {string} plan.key
 * @param {number} plan.callers
 * @param {number} plan.startAt machine ms
 * @param {number} plan.loadMs how long a load takes
 * @param {string[]} [plan.tags]
 * @param {'value' | 'null' | 'throw'} [plan.outcome] of each load here
 * @param {string} [plan.cacheNull] how long a null is kept
 * @param {boolean} [plan.dies] the process is killed in the middle of its load
 * @returns {Promise<{ loads: { began: number, ended: number }[], answers: { at: number, value?: unknown, error?: string }[] }>}
 */
export async function stampede(
  cache,
  { key, callers, startAt, loadMs, tags = [], outcome = 'value', cacheNull, dies = false },
) {
  const loads = []
  const load = async () => {
    const mine = { began: machineMs(), ended: 0 }
    loads.push(mine)
    await setTimeout(loadMs)
    if (dies) {
      process.send({ event: 'dying', at: machineMs() }, () => process.kill(process.pid, 'SIGKILL'))
      await new Promise(() => undefined)
    }
    mine.ended = machineMs()
    if (outcome === 'throw') throw new Error(`the load of ${process.pid} failed`)
    return outcome === 'null' ? null : { key, loadedBy: process.pid }
  }
  await setTimeout(Math.max(0, startAt - machineMs()))
  const call = async () => {
    try {
      const value = await cache.getOrSet(key, load, { ttl: 60, tags, cacheNull })
      return { at: machineMs(), value }
    } catch (error) {
      return { at: machineMs(), error: String(error.message) }
    }
  }
  const answers = await Promise.all(Array.from({ length: callers }, call))
  return { loads, answers }
}
