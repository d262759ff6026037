import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startRedis } from '../../../packages/shared/test/support/redis-server.js'
import { compiledService } from '../../service-kit/test/support/service-process.js'
import { startDatabase, until, type TestDatabase } from './support/service.js'

/** The service as it is started: the compiled `dist/main.js` in a process of its own. */

let service: ReturnType<typeof compiledService>
let database: TestDatabase

beforeAll(async () => {
  service = compiledService('services/master-data')
  database = await startDatabase()
})

afterEach(() => {
  service.killAll()
})

afterAll(async () => {
  await database?.stop()
})

/**
 * How long this machine needs for a process that leaves 4.5 s after SIGTERM, as the service does at the latest: what is more is the machine's. To
 * be sent SIGTERM together with the service.
 */
async function control() {
  const program = `process.on('SIGTERM', () => setTimeout(() => process.exit(0), 4_500))
    setInterval(() => undefined, 1_000)
    console.log('up')`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(child.stdout, 'data')
  const ended = once(child, 'close')
  return {
    child,
    /** Ms from now to its end. */
    async tookMs() {
      const began = performance.now()
      await ended
      return performance.now() - began
    },
  }
}

const start = (env: Record<string, string>) =>
  service.start({ PORT: '0', DATABASE_URL: database.url, DATABASE_POOL: '1', ...env })

describe('the process', () => {
  it('prints ready and its address last, answers there, and leaves with 0 within 5 s of SIGTERM', async () => {
    const { child, ended, lines, errors, ready } = start({ BURST: 'off' })
    const url = await ready()
    expect((await fetch(`${url}/health`)).status).toBe(200)
    expect(lines().filter((line) => line.startsWith('ready '))).toHaveLength(1)
    expect(errors()).toBe('')

    // A kept connection and one on which nothing was ever asked must not hold it.
    const started = performance.now()
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    expect(performance.now() - started).toBeLessThan(5_000)
    expect(lines().at(-1)).toBe(`ready ${url}`)
  })

  it('sends itself a burst, and prints what it measured', async () => {
    const { child, ended, lines, ready } = start({})
    const url = await ready()
    const text = lines().join('\n')
    expect(text).toContain(`url       ${url}`)
    expect(text).toContain(`docs      ${url}/docs`)
    expect(text).toMatch(/cache {5}memory/)
    expect(text).toMatch(/requests in [\d.]+ s, \d+ of them writes, 0 failed/)
    expect(text).toMatch(/hit rate {2}[\d.]+ % of [\d,]+ reads/)
    const line = /all reads +([\d.]+) +([\d.]+) +(\d+) +([\d.]+) +([\d.]+) +(\d+)/.exec(text)
    expect(Number(line?.[3])).toBeGreaterThan(0)
    expect(Number(line?.[6])).toBeGreaterThan(0)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  })

  it('leaves with 0 within 5 s also while Redis hangs, in the middle of its burst', async () => {
    const redis = await startRedis()
    const beside = await control()
    try {
      const { child, ended, lines } = start({ REDIS_HOST: redis.host, REDIS_PORT: String(redis.port) })
      const burstKeys = async () => Number(await redis.command('DBSIZE')) > 20
      await until('the burst has begun', async () => (await burstKeys()) || child.exitCode !== null, 120_000)
      redis.pause()
      const started = performance.now()
      beside.child.kill('SIGTERM')
      const besideMs = beside.tookMs()
      child.kill('SIGTERM')
      expect(await ended).toBe(0)
      const tookMs = performance.now() - started
      if (tookMs >= 5_000) expect(tookMs).toBeLessThan(500 + (await besideMs))
      expect(lines().some((line) => line.startsWith('ready'))).toBe(false)
    } finally {
      beside.child.kill('SIGKILL')
      redis.resume()
      await redis.stop()
    }
  })

  it('leaves with 0 also when SIGTERM comes while it starts', async () => {
    const { child, ended, lines } = start({ BURST: 'off' })
    await until('it has said something', () => lines().join('') !== '' || child.exitCode !== null, 120_000)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    expect(lines().some((line) => line.startsWith('ready'))).toBe(false)
  })

  it('says so when its port is taken, and leaves with 1', async () => {
    const holder = createServer().listen(0)
    const { port } = holder.address() as { port: number }
    try {
      const { ended, errors } = start({ PORT: String(port), BURST: 'off' })
      expect(await ended).toBe(1)
      expect(errors().trimEnd().split('\n').at(-1)).toBe(
        `Port ${port} is taken: set PORT to another one, or to 0 for any that is free`,
      )
    } finally {
      holder.close()
    }
  })

  it('names a variable that it can’t use, and never its value', async () => {
    const { ended, errors } = start({ REDIS_URL: 'redis://:hunter2@localhost', REDIS_HOST: 'localhost' })
    expect(await ended).toBe(1)
    expect(errors()).toContain('REDIS_URL, REDIS_HOST: set one of them')
    expect(errors()).not.toContain('hunter2')
  })

  it('starts without Redis when Redis is not there, and says that once', async () => {
    const { child, ended, lines, ready } = start({ REDIS_HOST: '127.0.0.1', REDIS_PORT: '1', BURST: 'off' })
    const url = await ready()
    const product = await fetch(`${url}/products/1`, { headers: { 'x-tenant-id': 'aurora-hardware' } })
    expect({ status: product.status, cache: product.headers.get('x-cache') }).toEqual({ status: 200, cache: 'MISS' })
    expect(lines().filter((line) => /Redis .* is not connected/.test(line))).toHaveLength(1)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  })
})
