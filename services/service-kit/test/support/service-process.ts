import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { until } from './test-service.js'

/** A service as it is started: its compiled `dist/main.js` in a process of its own. */

const root = fileURLToPath(new URL('../../../..', import.meta.url))

/** Compiles a service, `services/master-data` say, and answers how to run it. */
export function compiledService(folder: string) {
  const cwd = `${root}/${folder}`
  execFileSync(process.execPath, [`${root}/node_modules/typescript/bin/tsc`, '-p', 'tsconfig.build.json'], { cwd })
  const children: ChildProcess[] = []
  return {
    /** Starts a process with these variables and the `PATH`, nothing else. */
    start(env: Record<string, string>) {
      const child = spawn(process.execPath, ['dist/main.js'], {
        cwd,
        env: { PATH: process.env['PATH'] ?? '', ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      children.push(child)
      return processOf(child)
    },
    /** Ends those that still run. */
    killAll() {
      for (const child of children.splice(0)) child.kill('SIGKILL')
    },
  }
}

function processOf(child: ChildProcess) {
  let [out, err] = ['', '']
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const lines = () => out.trimEnd().split('\n')
  return {
    child,
    ended,
    lines,
    errors: () => err,
    /** Waits until the last line says that it is ready, and answers where. */
    async ready(): Promise<string> {
      await until('the service is ready', () => /^ready /m.test(out) || child.exitCode !== null, 150_000)
      const url = /^ready (\S+)$/.exec(lines().at(-1) ?? '')?.[1]
      if (url === undefined) throw new Error(`Not ready: ${out}\n${err}`)
      return url
    },
  }
}
