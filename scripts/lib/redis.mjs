// A Redis server for one check: on a free port, in a folder of its own, gone afterwards.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Stop } from './run.mjs'
import { findRedisServer } from './setup.mjs'

/**
 * Starts a server, with more arguments perhaps, and answers its `url`, its `port` and the way to `stop` it: or to `kill` it and to `restart` it,
 * on its port and with what it has written to its folder.
 */
export async function startRedis(...args) {
  const folder = mkdtempSync(join(tmpdir(), 'vextrus-redis-'))
  const port = await freePort()
  const fixed = ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no']
  const settings = [...fixed, ...args].map(String)
  let server = await launch(settings)
  const end = (signal) => {
    server.child.kill(signal)
    return server.ended
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    kill: () => end('SIGKILL'),
    restart: async () => {
      server = await launch(settings)
    },
    async stop() {
      await end('SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function launch(settings) {
  const child = spawn(findRedisServer(), settings, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise((resolve) => child.once('close', resolve))
  let log = ''
  await new Promise((resolve, reject) => {
    child.stdout.on('data', (text) => {
      log += text
      if (log.includes('Ready to accept connections')) resolve()
    })
    child.stderr.on('data', (text) => (log += text))
    void ended.then(() => reject(new Stop(`The Redis server ended while it started:\n${log}`)))
  })
  return { child, ended }
}

/** A port that nobody listens on at the moment. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
