import { describe, expect, it } from 'vitest'
import { latencyLines, portOf, sharedLines } from './start-report.mjs'

describe('the ports of the services', () => {
  it.each([
    [undefined, [undefined, undefined]],
    ['', [undefined, undefined]],
    ['0', ['0', '0']],
    ['8080', ['8080', '8081']],
    ['http', ['http', 'http']],
  ])('with PORT=%s are %j', (port, expected) => {
    expect([0, 1].map((index) => portOf(port, index))).toEqual(expected)
  })
})

describe('what is shared', () => {
  it('is nothing when nothing is set, or is empty', () => {
    for (const env of [{}, { REDIS_URL: '', DATABASE_URL: '' }]) {
      const [cache, database] = sharedLines(env)
      expect(cache).toMatch(/in memory, each service its own, nothing is shared: set REDIS_URL, .* or REDIS_CLUSTER/)
      expect(database).toMatch(/embedded, each service its own/)
    }
  })

  it('is Redis and Postgres when they are named, and neither is shown', () => {
    const text = sharedLines({ REDIS_CLUSTER: 'secret:1', DATABASE_URL: 'postgres://user:secret@host/db' }).join('\n')
    expect(text).toMatch(/one Redis for all/)
    expect(text).toMatch(/one Postgres, a schema for each/)
    expect(text).not.toContain('secret')
  })
})

describe('the table of latencies', () => {
  const row = (source, reads, asked = reads) => ({
    source,
    reads,
    asked,
    p50Ms: reads === 0 ? null : 0.0041,
    p99Ms: reads === 0 ? null : 12.5,
  })

  it('shows each level with its reads', () => {
    const rows = [row('L1 hit', 1_990, 2_000), row('L2 hit', 500), row('database', 200)]
    expect(latencyLines({ cache: 'Redis at localhost:6379', rows }).join('\n')).toMatchInlineSnapshot(`
      "one rule set   read from                 p50 ms   p99 ms          reads
      L1 hit         memory of the process      0.004   12.500   1990 of 2000
      L2 hit         Redis at localhost:6379    0.004   12.500            500
      database       Postgres                   0.004   12.500            200"
    `)
  })

  it('says so when Redis did not answer', () => {
    const rows = [row('L1 hit', 0, 2_000), row('L2 hit', 0, 500), row('database', 200)]
    const lines = latencyLines({ cache: 'Redis at localhost:6379', rows })
    expect(lines.at(-1)).toBe('No L1 hit and no L2 hit: Redis did not answer')
    expect(lines[1]).toMatch(/L1 hit .* - +- +0 of 2000$/)
  })
})
