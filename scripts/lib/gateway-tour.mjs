// What `npm start` shows of the API gateway: a log-in, an answer from the cache, a caller that has had enough, and a token that is over.

/** A tenant of the seed with a larger plan; the others are on the smallest. */
export const DEMO_PLANS = 'aurora-hardware=enterprise'

/** Its requests are of a tenant on the smallest plan, so the first refusal comes after some sixty. */
const MOST_REQUESTS = 200
const CACHED = '/master-data/products/1'

/** @param env what the services are started with @param urls of those that run; answers variables for the gateway */
export function gatewayEnv(env, urls) {
  return {
    MASTER_DATA_URL: urls['master-data'],
    RULES_ENGINE_URL: urls['rules-engine'],
    FINANCE_URL: urls['finance'],
    AUTH_URL: urls['auth'],
    WORKFLOW_URL: urls['workflow'],
    TENANT_PLANS: env.TENANT_PLANS || DEMO_PLANS,
  }
}

/**
 * Asks the gateway as a client does. Answers lines for a person to read, and to run.
 * @param people of the demonstration: `{ tenantId, name, password }`, the first of a tenant with a larger plan, the last of one on the smallest
 */
export async function tourOf(url, people, signal) {
  const [first, last] = [people.at(0), people.at(-1)]
  const [token, short, small] = await Promise.all([first, first, last].map((person) => logIn(url, person, signal)))
  if (token === undefined) return ['gateway    nobody of the demonstration can log in: see services/auth/README.md']
  const ask = askerOf(url, signal)
  // The first one is stored behind its reader's back.
  const answers = [await ask(CACHED, token), await ask(CACHED, token), await ask(CACHED, token)]
  return [
    `gateway    GET ${CACHED}: ${answers.map(({ cache, ms }) => `${cache} ${ms.toFixed(1)} ms`).join(', ')}`,
    `           ${await refusalOf(ask, small, last)}`,
    `           ${await endOf(ask, url, short, signal)}`,
    '',
    ...people.map(({ tenantId, name, password, roles = [] }, at) =>
      `${at === 0 ? 'people     ' : '           '}${name} of ${tenantId}, password ${password} (${roles.join(', ')})`.trimEnd(),
    ),
    '',
    `curl -H 'content-type: application/json' ${url}/auth/login -d '${JSON.stringify(credentialsOf(first))}'`,
    `TOKEN=${token}     # its accessToken, good for 15 minutes`,
    `curl -i -H "authorization: Bearer $TOKEN" ${url}${CACHED}`,
    `curl -H "authorization: Bearer $TOKEN" '${url}/me/flags/new-checkout'`,
    `curl -N -H "authorization: Bearer $TOKEN" ${url}/workflow/notifications     # server-sent events`,
    `curl -H "authorization: Bearer $TOKEN" ${url}/auth/devices`,
    `curl -H "authorization: Bearer $TOKEN" -X POST ${url}/auth/logout-everywhere`,
  ]
}

const credentialsOf = ({ tenantId, name, password }) => ({ tenantId, name, password })

/** Undefined: the password is not accepted. */
async function logIn(url, person, signal) {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify(credentialsOf(person))
  const response = await fetch(`${url}/auth/login`, { method: 'POST', signal, headers, body })
  return response.ok ? (await response.json()).accessToken : undefined
}

const askerOf = (url, signal) => async (path, token) => {
  const start = performance.now()
  const response = await fetch(`${url}${path}`, { signal, headers: { authorization: `Bearer ${token}` } })
  await response.text()
  const { status, headers } = response
  return { status, headers, cache: headers.get('x-cache') ?? status, ms: performance.now() - start }
}

async function refusalOf(ask, token, { tenantId }) {
  for (let request = 1; request <= MOST_REQUESTS; request++) {
    const { status, headers } = await ask('/me', token)
    if (status !== 429) continue
    const told = ['ratelimit-policy', 'ratelimit', 'retry-after'].map((name) => `${name}: ${headers.get(name)}`)
    return `request ${request} of a user on the smallest plan: 429, ${told.join(', ')}`
  }
  return `${MOST_REQUESTS} requests of a user of ${tenantId}, and none was refused: see TENANT_PLANS`
}

async function endOf(ask, url, token, signal) {
  const before = await ask('/me', token)
  await fetch(`${url}/auth/logout`, { method: 'POST', signal, headers: { authorization: `Bearer ${token}` } })
  const after = await ask('/me', token)
  return `a token before and after its log-out: ${before.status}, ${after.status}`
}
