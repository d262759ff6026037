import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { compiledService } from '../../service-kit/test/support/service-process.js'
import { until } from './support/gateway.js'
import { TestAuthService } from './support/test-auth-service.js'
import { TestUpstream } from './support/test-upstream.js'

/** The gateway as it is started: the compiled `dist/main.js` in a process of its own. */

let service: ReturnType<typeof compiledService>
let upstream: TestUpstream
let auth: TestAuthService

beforeAll(async () => {
  service = compiledService('services/api-gateway')
  ;[upstream, auth] = await Promise.all([TestUpstream.start(), TestAuthService.start()])
})
beforeEach(() => upstream.answers(({ url }) => ({ url })))

afterAll(async () => {
  service?.killAll()
  await upstream?.stop()
  await auth?.upstream.stop()
})

const start = (env: Record<string, string> = {}) =>
  service.start({ PORT: '0', FINANCE_URL: upstream.url.href, AUTH_URL: auth.url.href, ...env })
const bearer = async () => ({ authorization: `Bearer ${await auth.issuer.sign()}` })

it('prints ready and its address last, lets requests pass with the keys of the auth service, and leaves with 0 within 5 s of SIGTERM', async () => {
  const { child, ended, lines, errors, ready } = start()
  const url = await ready()
  expect(errors()).toBe('')
  expect(lines().filter((line) => line.startsWith('ready '))).toEqual([`ready ${url}`])
  const answer = await fetch(`${url}/finance/it`, { headers: await bearer() })
  expect(await answer.json()).toEqual({ url: '/it' })
  const started = performance.now()
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  expect(performance.now() - started).toBeLessThan(5_000)
})

it('leaves with 0 within 5 s also while a service does not answer', async () => {
  const { child, ended, ready } = start()
  const url = await ready()
  let asked = false
  upstream.handler = () => void (asked = true)
  const cut = fetch(`${url}/finance/it`, { headers: await bearer() }).then(
    ({ status }) => status,
    () => 'cut',
  )
  await until('the service is asked', () => asked)
  const started = performance.now()
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  expect(performance.now() - started).toBeLessThan(5_000)
  expect([502, 'cut']).toContain(await cut)
})

it('names a variable that it can’t use, and leaves with 1', async () => {
  const { ended, errors } = start({ FINANCE_URL: 'finance' })
  expect(await ended).toBe(1)
  expect(errors()).toMatch(/^api-gateway could not start: FINANCE_URL: /)
})
