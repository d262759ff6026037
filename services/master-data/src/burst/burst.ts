import { Client } from '@vextrus/service-kit'
import { Prng } from '../seed/prng.js'

/** How long reads of one kind took, in milliseconds, by where they were answered from. */
export interface Timings {
  readonly kind: string
  readonly cached: readonly number[]
  readonly uncached: readonly number[]
}

export interface BurstResult {
  readonly requests: number
  readonly writes: number
  /** Answers with a status of 400 or more. */
  readonly failed: number
  readonly seconds: number
  readonly timings: readonly Timings[]
}

export interface BurstOptions {
  /** @default 3,000 */
  readonly requests?: number
  /** No request begins later than this after the first. @default 4,000 */
  readonly longestMs?: number
}

const CONNECTIONS = 4
const SEED = 7

/**
 * Traffic as an ERP sees it, sent to a running service over HTTP: mostly single products, few of them very popular (Zipf's law), some lists,
 * searches, customers, lookups and reports, and one write in a hundred. Writes change nothing that anybody could see but `version` and
 * `updatedAt`: each sends a row's own name back.
 */
export async function sendBurst(
  url: string,
  { requests = 3_000, longestMs = 8_000 }: BurstOptions = {},
): Promise<BurstResult> {
  const client = new Client(url, CONNECTIONS)
  try {
    const traffic = new Traffic(await survey(client), new Prng(SEED))
    const timings = new Map<string, { cached: number[]; uncached: number[] }>()
    let [sent, writes, failed] = [0, 0, 0]
    const started = performance.now()
    const worker = async () => {
      while (sent < requests && performance.now() - started < longestMs) {
        sent++
        const { kind, method, path, tenant, body } = traffic.next()
        const answer = await client.send(method, path, tenant, body)
        if (answer.status >= 400) failed++
        else if (method !== 'GET') writes++
        if (answer.status >= 400 || answer.cache === undefined) continue
        const of = timings.get(kind) ?? { cached: [], uncached: [] }
        timings.set(kind, of)
        of[answer.cache === 'HIT' ? 'cached' : 'uncached'].push(answer.ms)
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, worker))
    return {
      requests: sent,
      writes,
      failed,
      seconds: (performance.now() - started) / 1_000,
      timings: [...timings].map(([kind, of]) => ({ kind, ...of })).sort((a, b) => a.kind.localeCompare(b.kind)),
    }
  } finally {
    client.close()
  }
}

interface Named {
  readonly id: number
  readonly name: string
}

/** What there is to ask for. */
interface Ground {
  readonly tenant: string
  readonly products: readonly Named[]
  readonly customers: readonly Named[]
  readonly categories: readonly Named[]
}

async function survey(client: Client): Promise<Ground[]> {
  const get = async <T>(path: string, tenant?: string) => (await client.send('GET', path, tenant)).body as T
  const tenants = await get<{ id: string }[]>('/tenants')
  return Promise.all(
    tenants.map(async ({ id: tenant }) => ({
      tenant,
      products: (await get<{ items: Named[] }>('/products?pageSize=30', tenant)).items,
      customers: (await get<{ items: Named[] }>('/customers?pageSize=15', tenant)).items,
      categories: await get<Named[]>('/categories', tenant),
    })),
  )
}

interface Planned {
  readonly kind: string
  readonly method: 'GET' | 'PATCH'
  readonly path: string
  readonly tenant?: string
  readonly body?: unknown
}

class Traffic {
  constructor(
    private readonly grounds: readonly Ground[],
    private readonly random: Prng,
  ) {}

  next(): Planned {
    const { tenant, products, customers, categories } = this.popular(this.grounds)
    const dice = this.random.float()
    if (dice < 0.7) return { kind: 'product', method: 'GET', path: `/products/${this.popular(products).id}`, tenant }
    if (dice < 0.78) {
      return { kind: 'list', method: 'GET', path: `/products?categoryId=${this.popular(categories).id}`, tenant }
    }
    if (dice < 0.81) return { kind: 'search', method: 'GET', path: `/products/search?q=${this.popular(WORDS)}`, tenant }
    if (dice < 0.91)
      return { kind: 'customer', method: 'GET', path: `/customers/${this.popular(customers).id}`, tenant }
    if (dice < 0.97) return { kind: 'lookup', method: 'GET', path: this.popular(LOOKUPS) }
    if (dice < 0.99) return { kind: 'report', method: 'GET', path: '/reports/stock-value', tenant }
    const { id, name } = this.popular(products)
    return { kind: 'write', method: 'PATCH', path: `/products/${id}`, tenant, body: { name } }
  }

  /** Zipf's law, exponent 1: the n-th item is asked for n times less often than the first. */
  private popular<T>(items: readonly T[]): T {
    // 1/n has the integral ln n, whose inverse spreads an even number as wanted.
    const rank = Math.floor((items.length + 1) ** this.random.float())
    const item = items[Math.min(rank, items.length) - 1]
    if (item === undefined) throw new Error('The burst needs seeded data, and found none')
    return item
  }
}

const WORDS = ['premium', 'eco', 'drill', 'compact', 'box', 'cable', 'standard', 'trade']
const LOOKUPS = [
  '/countries/DE',
  '/countries/US',
  '/currencies',
  '/tax-codes?country=DE',
  '/countries',
  '/countries/AQ',
]
