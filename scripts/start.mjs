// `npm start`: sets up what is missing, builds the toolkit and the services, and runs the services until Ctrl-C or SIGTERM. When all are ready it
// measures what a read costs, tries the gateway, and prints one line `ready <url>` for each, last, in the order of their names above.
// `npm start -- --built` runs what was built before.
import { build, libraries } from './lib/build.mjs'
import { serve } from './lib/fleet.mjs'
import { BY_START, SERVICES } from './lib/fleet-names.mjs'
import { gatewayEnv, tourOf } from './lib/gateway-tour.mjs'
import { main, Stop } from './lib/run.mjs'
import { ensureDependencies } from './lib/setup.mjs'
import { latencyLines, portOf, sharedLines } from './lib/start-report.mjs'

/** A measurement takes a second or two. */
const LONGEST_LOOK_MS = 15_000

await main(async () => {
  if (!process.argv.includes('--built')) {
    await ensureDependencies()
    for (const folder of [...libraries, ...SERVICES.map((name) => `services/${name}`)]) await build(folder)
  }
  const services = BY_START.map((name) => {
    const port = portOf(process.env.PORT, SERVICES.indexOf(name))
    const env = (urls) => ({
      ...(port === undefined ? {} : { PORT: port }),
      ...(name === 'api-gateway' ? gatewayEnv(process.env, urls) : {}),
    })
    return { name, args: [`services/${name}/dist/main.js`], env }
  })
  await serve(services, { whenReady: report })
})

async function report(urls, signal) {
  const latency = await shown('Latencies were not measured', signal, (within) =>
    latencyOf(urls['rules-engine'], within),
  )
  const tour = await shown('The gateway was not tried', signal, async (within) =>
    tourOf(urls['api-gateway'], await people(), within),
  )
  if (signal.aborted) return
  const addresses = SERVICES.map((name) => `${name.padEnd(14)}${urls[name]}`)
  const lines = ['', ...sharedLines(process.env), '', ...latency, '', ...tour, '', ...addresses, '']
  for (const line of lines) console.log(line)
  for (const name of SERVICES) console.log(`ready ${urls[name]}`)
}

/** Of the demonstration, as the auth service was compiled: its database knows them unless this is production. */
async function people() {
  return (await import('../services/auth/dist/seed/demo-accounts.js')).DEMO_ACCOUNTS
}

/** Lines of something that is worth a look. The services run: that it could not be had is worth a line and no more. */
async function shown(failure, signal, look) {
  try {
    return await look(AbortSignal.any([signal, AbortSignal.timeout(LONGEST_LOOK_MS)]))
  } catch (error) {
    return [`${failure}: ${error.message}`]
  }
}

async function latencyOf(url, signal) {
  const response = await fetch(`${url}/latency`, { signal })
  if (!response.ok) throw new Stop(`GET /latency: ${response.status}`)
  return latencyLines(await response.json())
}
