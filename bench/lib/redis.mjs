import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis6'

const START_DEADLINE_MS = 10_000

/** A Redis server of the bench's own, on a free port, without persistence. */
export async function startRedis() {
  const dir = mkdtempSync(join(tmpdir(), 'vextrus-bench-'))
  const port = await freePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no']
  const child = spawn('redis-server', args, { stdio: 'ignore' })
  const exited = new Promise((_, reject) => {
    child.once('error', (cause) => reject(new Error('redis-server could not be started; install it first', { cause })))
    child.once('exit', (code) => reject(new Error(`redis-server ended with code ${code}`)))
  })
  exited.catch(() => undefined)
  await Promise.race([answering(port), exited])
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    stop() {
      child.kill('SIGTERM')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function answering(port) {
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50, maxRetriesPerRequest: null })
  client.on('error', () => undefined)
  const late = setTimeout(() => client.disconnect(), START_DEADLINE_MS)
  await client.ping()
  clearTimeout(late)
  client.disconnect()
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}
