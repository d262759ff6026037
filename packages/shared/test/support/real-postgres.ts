import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { DataSource } from 'typeorm'
import { freePort } from './redis-server.js'
import { waitFor } from './wait-for.js'

/** A real Postgres server of a test: on a free port, with a folder of its own, ended by process id. */
export interface RealPostgres {
  readonly url: string
  stop(): Promise<void>
}

/** Where the server's programs are; undefined: not installed. Debian keeps them off the PATH, a folder a version. */
export const postgresPrograms = findPrograms()

/** Starts one; as an unprivileged user, because it refuses to run as root. */
export async function startRealPostgres(programs: string): Promise<RealPostgres> {
  const dir = mkdtempSync(join(tmpdir(), 'vextrus-postgres-'))
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  if (nobody.uid !== undefined) chownSync(dir, nobody.uid, nobody.gid)
  const options = { ...nobody, cwd: dir, stdio: 'ignore' } as const
  execFileSync(join(programs, 'initdb'), ['-D', `${dir}/data`, '-U', 'postgres', '-A', 'trust', '--no-sync'], options)
  const port = await freePort()
  const flags = ['-D', `${dir}/data`, '-p', String(port), '-h', '127.0.0.1', '-k', dir, '-F']
  const server = spawn(join(programs, 'postgres'), flags, options)
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  running.add(server)
  server.once('exit', () => running.delete(server))
  await waitFor('Postgres answers', () => answers(url, server), 30_000)
  return {
    url,
    async stop() {
      const ended = new Promise((resolve) => server.once('close', resolve))
      // A fast shutdown: open connections are ended.
      if (server.exitCode === null && server.kill('SIGINT')) await ended
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Servers that would outlive the test process if it ended without `stop()`. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const server of running) server.kill('SIGINT')
})

async function answers(url: string, server: ChildProcess): Promise<boolean> {
  if (server.exitCode !== null) throw new Error(`Postgres ended with ${server.exitCode}`)
  try {
    await (await new DataSource({ type: 'postgres', url, installExtensions: false }).initialize()).destroy()
    return true
  } catch (error) {
    // Refused, or "the database system is starting up".
    if (!(error instanceof Error)) throw error
    return false
  }
}

function findPrograms(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  return [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ].find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
}
