// `npm start`: sets up what is missing, builds the toolkit and the services, and runs the services until Ctrl-C or SIGTERM. When all are ready it
// measures what a read costs, and prints one line `ready <url>` for each, last, in the order of their names above.
import { build, libraries } from './lib/build.mjs'
import { serve } from './lib/fleet.mjs'
import { SERVICES } from './lib/fleet-names.mjs'
import { main, Stop } from './lib/run.mjs'
import { ensureDependencies } from './lib/setup.mjs'
import { latencyLines, portOf, sharedLines } from './lib/start-report.mjs'

/** A measurement takes a second or two. */
const LONGEST_MEASUREMENT_MS = 15_000

await main(async () => {
  await ensureDependencies()
  for (const folder of [...libraries, ...SERVICES.map((name) => `services/${name}`)]) await build(folder)
  const services = SERVICES.map((name, index) => {
    const port = portOf(process.env.PORT, index)
    return { name, args: [`services/${name}/dist/main.js`], env: port === undefined ? {} : { PORT: port } }
  })
  await serve(services, { whenReady: report })
})

async function report(urls, signal) {
  const latency = await latencyOf(urls['rules-engine'], signal)
  if (signal.aborted) return
  const addresses = SERVICES.map((name) => `${name.padEnd(14)}${urls[name]}`)
  const lines = ['', ...sharedLines(process.env), '', ...latency, '', ...addresses, '']
  for (const line of lines) console.log(line)
  for (const name of SERVICES) console.log(`ready ${urls[name]}`)
}

async function latencyOf(url, signal) {
  try {
    const response = await fetch(`${url}/latency`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MEASUREMENT_MS)]),
    })
    if (!response.ok) throw new Stop(`GET /latency: ${response.status}`)
    return latencyLines(await response.json())
  } catch (error) {
    // The services run; that they could not be measured is worth a line and no more.
    return [`Latencies were not measured: ${error.message}`]
  }
}
