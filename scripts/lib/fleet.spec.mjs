import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/** The fleet as `npm start` runs it, in a process of its own, with services of a few lines. */

const fleet = fileURLToPath(new URL('./fleet.mjs', import.meta.url))
const run = fileURLToPath(new URL('./run.mjs', import.meta.url))

const READY = `console.log('hello'); console.log('ready http://' + process.env.NAME)`
const leaving = (code) => `process.on('SIGTERM', () => process.exit(${code})); setInterval(() => {}, 1e6); ${READY}`
const STAYS = leaving(0)
const DIES = `${READY}; setTimeout(() => process.exit(3), 100)`
const BREAKS = leaving(7)

/** Runs services with this code; `after` is called when all are ready. Answers the output, and the exit code of the fleet. `URLS` are those before. */
async function runFleet(services, after = () => {}) {
  const described = Object.entries(services).map(([name, code]) => ({ name, args: ['-e', code] }))
  const program = `
    import { serve } from ${JSON.stringify(fleet)}
    import { main } from ${JSON.stringify(run)}
    const services = ${JSON.stringify(described)}.map((service) => ({
      ...service,
      env: (urls) => ({ NAME: service.name, URLS: JSON.stringify(urls) }),
    }))
    await main(() => serve(services, { whenReady: async (urls) => console.log(JSON.stringify(urls)) }))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let ready = false
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
      if (!ready && /^\{/m.test(output)) {
        ready = true
        after(child)
      }
    })
  }
  const code = await new Promise((resolve) => child.once('close', resolve))
  return { code, lines: output.trimEnd().split('\n') }
}

describe('services side by side', () => {
  it('start, are ready, and leave with 0 when they are asked to', async () => {
    const { code, lines } = await runFleet({ a: STAYS, longer: STAYS }, (child) => child.kill('SIGTERM'))
    expect(lines).toEqual(['a      | hello', 'longer | hello', '{"a":"http://a","longer":"http://longer"}'])
    expect(code).toBe(0)
  })

  it('know those that were started before them', async () => {
    const tells = `console.log(process.env.URLS); ${STAYS}`
    const { lines } = await runFleet({ a: tells, b: tells }, (child) => child.kill('SIGTERM'))
    expect(lines.filter((line) => line.includes(' | {'))).toEqual(['a | {}', 'b | {"a":"http://a"}'])
  })

  it('are all taken down when one of them dies, which is named', async () => {
    const { code, lines } = await runFleet({ a: STAYS, b: DIES })
    expect(code).toBe(1)
    expect(lines.at(-1)).toBe('✖ b ended with exit code 3; what it said is above. The others were stopped.')
  })

  it('are not all started when an earlier one can’t', async () => {
    const { code, lines } = await runFleet({ a: 'process.exit(1)', b: STAYS })
    expect({ code, lines }).toEqual({ code: 1, lines: ['✖ a ended with exit code 1; what it said is above.'] })
  })

  it('end with 1 when one did not leave in order', async () => {
    const { code, lines } = await runFleet({ a: STAYS, b: BREAKS }, (child) => child.kill('SIGTERM'))
    expect(code).toBe(1)
    expect(lines.at(-1)).toBe('✖ b ended with exit code 7; what it said is above.')
  })
})
