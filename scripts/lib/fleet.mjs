// Runs services side by side, each a process of its own, until one ends or somebody asks them to leave.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { root, Stop } from './run.mjs'

/** A service leaves within 5 s of SIGTERM; one that does not is ended. */
const PATIENCE_MS = 10_000
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Starts services one after the other – each is `{ name, args, env }`, arguments for Node – and keeps them running. `env` may be a function of the
 * urls of those before it. A service is ready when it has printed `ready <url>`; every other line that it prints is printed with its name before it.
 *
 * Resolves when a signal asked for the end and all have left in order. Rejects with a {@link Stop} when one ended by itself, or badly: the others
 * are taken down first.
 * @param whenReady called once, with `{ name: url }`, when all are ready; its signal says that it is too late
 */
export async function serve(services, { whenReady, print = (line) => console.log(line) }) {
  const leaving = new AbortController()
  const left = new Promise((resolve) => leaving.signal.addEventListener('abort', resolve))
  const leave = () => leaving.abort()
  for (const signal of SIGNALS) process.on(signal, leave)

  const width = Math.max(...services.map(({ name }) => name.length))
  const running = []
  let deserter
  try {
    const urls = {}
    for (const service of services) {
      const env = typeof service.env === 'function' ? service.env({ ...urls }) : service.env
      const process = start({ ...service, env }, (line) => print(`${service.name.padEnd(width)} | ${line}`))
      running.push(process)
      void process.ended.then(() => {
        if (!leaving.signal.aborted) deserter = process
        leave()
      })
      urls[service.name] = await Promise.race([process.ready, left])
      if (leaving.signal.aborted) break
    }
    if (!leaving.signal.aborted) await Promise.race([whenReady(urls, leaving.signal), left])
    await left
  } finally {
    for (const process of running) process.stop()
    await Promise.all(running.map(({ ended }) => ended))
    for (const signal of SIGNALS) process.off(signal, leave)
  }
  const culprit = deserter ?? running.find(({ how }) => how() !== undefined)
  if (culprit) {
    const others = running.length > 1 && culprit === deserter ? ' The others were stopped.' : ''
    throw new Stop(`${culprit.name} ${culprit.how() ?? 'ended by itself'}; what it said is above.${others}`)
  }
}

/**
 * It runs in a process group of its own: a terminal sends Ctrl-C to a whole group, and the service would get it twice, ours included.
 */
function start({ name, args, env }, print) {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  const lines = createInterface({ input: child.stdout })
  const ready = new Promise((resolve) => {
    lines.on('line', (line) => {
      const [, url] = /^ready (\S+)$/.exec(line) ?? []
      if (url === undefined) print(line)
      else resolve(url)
    })
  })
  let how
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve((how = `could not be started: ${error.message}`)))
    child.once('close', (code, signal) => {
      if (code !== 0) how ??= signal ? `was ended by ${signal}` : `ended with exit code ${code}`
      resolve()
    })
  })
  return {
    name,
    ready,
    ended,
    /** What was wrong with its end; undefined: nothing. */
    how: () => how,
    stop() {
      child.kill('SIGTERM')
      const impatience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
      void ended.then(() => clearTimeout(impatience))
    },
  }
}
