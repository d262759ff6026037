// What `npm start` shows of the API gateway: a token, an answer from the cache, and a caller that has had enough.

/** Tenants of the seed with plans that differ; the others are on the smallest. */
export const DEMO_PLANS = 'aurora-hardware=enterprise,elbe-elektronik=standard'

/** Its requests are of a tenant on the smallest plan, so the first refusal comes after some sixty. */
const MOST_REQUESTS = 200
const CACHED = '/master-data/products/1'

/** @param env what the services are started with @param urls of those that run; answers variables for the gateway */
export function gatewayEnv(env, urls) {
  return {
    MASTER_DATA_URL: urls['master-data'],
    RULES_ENGINE_URL: urls['rules-engine'],
    FINANCE_URL: urls['finance'],
    TENANT_PLANS: env.TENANT_PLANS || DEMO_PLANS,
  }
}

/** Asks the gateway as a client does. Answers lines for a person to read, and to run. */
export async function tourOf(url, signal) {
  const ada = await tokenOf(url, 'ada', 'aurora-hardware', signal)
  if (ada === undefined) return ['gateway    tokens are signed with a key of your own: JWT_KEY']
  const ask = askerOf(url, signal)
  // The first one is stored behind its reader's back.
  const answers = [await ask(CACHED, ada), await ask(CACHED, ada), await ask(CACHED, ada)]
  const refusal = await refusalOf(ask, await tokenOf(url, 'visitor', 'sakura-keisoku', signal))
  return [
    `gateway    GET ${CACHED}: ${answers.map(({ cache, ms }) => `${cache} ${ms.toFixed(1)} ms`).join(', ')}`,
    `           ${refusal}`,
    '',
    `TOKEN=${ada}`,
    `curl -i -H "authorization: Bearer $TOKEN" ${url}${CACHED}`,
    `curl -H "authorization: Bearer $TOKEN" '${url}/me/flags/new-checkout'`,
    `curl '${url}/demo/token?user=bob&tenant=elbe-elektronik'     # a token of anybody, for an hour`,
  ]
}

/** Undefined: the gateway hands out none. */
async function tokenOf(url, user, tenant, signal) {
  const response = await fetch(`${url}/demo/token?user=${user}&tenant=${tenant}`, { signal })
  return response.ok ? (await response.json()).token : undefined
}

const askerOf = (url, signal) => async (path, token) => {
  const start = performance.now()
  const response = await fetch(`${url}${path}`, { signal, headers: { authorization: `Bearer ${token}` } })
  await response.text()
  const { status, headers } = response
  return { status, headers, cache: headers.get('x-cache') ?? status, ms: performance.now() - start }
}

async function refusalOf(ask, token) {
  for (let request = 1; request <= MOST_REQUESTS; request++) {
    const { status, headers } = await ask('/me', token)
    if (status !== 429) continue
    const told = ['ratelimit-policy', 'ratelimit', 'retry-after'].map((name) => `${name}: ${headers.get(name)}`)
    return `request ${request} of a user on the smallest plan: 429, ${told.join(', ')}`
  }
  return `${MOST_REQUESTS} requests of a user of sakura-keisoku, and none was refused: see TENANT_PLANS`
}
