// `npm start`: sets up what is missing, builds the toolkit and the services, and runs the master-data service until Ctrl-C or SIGTERM.
import { spawn } from 'node:child_process'
import { build } from './lib/build.mjs'
import { main, root, Stop } from './lib/run.mjs'
import { ensureDependencies } from './lib/setup.mjs'

const SERVICE = 'services/master-data'
/** A service leaves within 5 s of SIGTERM; one that does not is ended. */
const PATIENCE_MS = 10_000

await main(async () => {
  await ensureDependencies()
  for (const folder of ['packages/shared', SERVICE]) await build(folder)
  process.exitCode = await serve()
})

/**
 * Runs the service and answers the exit code: 0 when it was asked to leave and left in order.
 *
 * It runs in a process group of its own: a terminal sends Ctrl-C to a whole group, and the service would get it twice, here's included.
 */
function serve() {
  const child = spawn(process.execPath, [`${SERVICE}/dist/main.js`], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  })
  let asked = false
  const ask = () => {
    if (asked) return
    asked = true
    child.kill('SIGTERM')
    setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS).unref()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, ask)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(0)
      const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`
      reject(new Stop(`${SERVICE} ${how}; what it said is above.`))
    })
  })
}
