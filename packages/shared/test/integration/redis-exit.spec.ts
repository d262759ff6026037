import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startCluster } from '../support/redis-cluster.js'
import { startSentinel } from '../support/redis-sentinel.js'
import { freePort, type RedisServer, startRedis } from '../support/redis-server.js'

/** What is built, as users run it: a process of its own has no handles but those of the toolkit. */
const DIST = new URL('../../dist/redis/index.js', import.meta.url).href

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

/** Runs a program that has `RedisConnection` and a silent `logger`, until it says `done`. */
async function running(program: string) {
  const code = `
    import { RedisConnection } from '${DIST}'
    const logger = { warn() {}, log() {}, debug() {} }
    ${program}
    console.log('done')`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = once(child, 'exit')
  const [said] = (await Promise.race([once(child.stdout, 'data'), exit])) as [unknown]
  expect(String(said).trim()).toBe('done')
  return { child, exit }
}

it('a process whose connections are closed ends by itself, whether they were up or not', async () => {
  const absent = await freePort()
  const { exit } = await running(`
    const connection = new RedisConnection({ url: '${redis.url}' }, { logger })
    await connection.ready()
    await connection.close()
    const hopeless = new RedisConnection({ host: '127.0.0.1', port: ${absent} }, { logger })
    await hopeless.ready().catch(() => undefined)
    await hopeless.close()`)
  expect(await exit).toEqual([0, null])
})

it('a process whose connection is open goes on', async () => {
  const { child, exit } = await running(`
    const connection = new RedisConnection({ url: '${redis.url}' }, { logger })
    await connection.ready()
    process.on('SIGTERM', () => connection.close())`)
  child.kill('SIGTERM')
  expect(await exit).toEqual([0, null])
})

it('a process whose connections to a Cluster and by Sentinels are closed ends by itself, whether they were up or not', async () => {
  const [cluster, sentinels] = await Promise.all([
    startCluster({ masters: 1, replicas: 0 }),
    startSentinel({ replicas: 1, sentinels: 1 }),
  ])
  try {
    const absent = [{ host: '127.0.0.1', port: await freePort() }]
    const { exit } = await running(`
      for (const options of [
        { cluster: { nodes: ${JSON.stringify(cluster.nodes)} } },
        { cluster: { nodes: ${JSON.stringify(absent)} } },
        { sentinels: { nodes: ${JSON.stringify(sentinels.nodes)}, name: 'mymaster' } },
        { sentinels: { nodes: ${JSON.stringify(absent)}, name: 'mymaster' } },
      ]) {
        const connection = new RedisConnection(options, { logger })
        await connection.ready().catch(() => undefined)
        await connection.client
        await connection.close()
      }`)
    expect(await exit).toEqual([0, null])
  } finally {
    await Promise.all([cluster.stop(), sentinels.stop()])
  }
})
