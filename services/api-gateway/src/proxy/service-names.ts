/** What the gateway knows of a service besides its address. */
export interface ServiceTraits {
  /** First segments that are nobody's business outside: of the whole service and not of one tenant, or of those who run it. */
  readonly hidden: readonly string[]
  /** Paths that are asked for with `POST` and change nothing. */
  readonly questions: readonly string[]
  /** The gateway caches answers of it (`routes/`), so its writes invalidate them. */
  readonly isCached: boolean
}

const OPERATIONS = ['health', 'docs', 'docs-json', 'docs-yaml', 'tenants']

/** The services behind the gateway. Their names are the first segments of the gateway's paths. */
export const SERVICES = {
  'master-data': { hidden: OPERATIONS, questions: [], isCached: true },
  'rules-engine': {
    hidden: [...OPERATIONS, 'latency'],
    questions: ['/evaluations', '/evaluations/batch'],
    isCached: true,
  },
  finance: { hidden: OPERATIONS, questions: [], isCached: false },
} as const satisfies Readonly<Record<string, ServiceTraits>>

export type ServiceName = keyof typeof SERVICES

export const serviceNames = Object.keys(SERVICES) as readonly ServiceName[]

export const isServiceName = (name: string): name is ServiceName => Object.hasOwn(SERVICES, name)
