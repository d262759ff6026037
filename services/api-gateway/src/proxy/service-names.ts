/** What the gateway knows of a service besides its address. */
export interface ServiceTraits {
  /** First segments that are nobody's business outside: of the whole service and not of one tenant, or of those who run it. */
  readonly hidden: readonly string[]
  /** Paths that are asked for with `POST` and change nothing. */
  readonly questions: readonly string[]
  /** Paths that need no token, as they are written here and not otherwise. */
  readonly open: readonly string[]
  /** It is given the caller's token, which the others are not. */
  readonly getsToken: boolean
  /** The gateway caches answers of it (`routes/`), so its writes invalidate them. */
  readonly isCached: boolean
}

/** Callers with a token alone, whom the gateway vouches for. */
const WITH_TOKEN = { open: [], getsToken: false } as const
const OPERATIONS = ['health', 'docs', 'docs-json', 'docs-yaml', 'tenants']

/** The services behind the gateway. Their names are the first segments of the gateway's paths. */
export const SERVICES = {
  'master-data': { ...WITH_TOKEN, hidden: OPERATIONS, questions: [], isCached: true },
  'rules-engine': {
    ...WITH_TOKEN,
    hidden: [...OPERATIONS, 'latency'],
    questions: ['/evaluations', '/evaluations/batch'],
    isCached: true,
  },
  finance: { ...WITH_TOKEN, hidden: OPERATIONS, questions: [], isCached: false },
  auth: {
    hidden: [...OPERATIONS, 'introspection'],
    questions: [],
    open: ['/login', '/refresh', '/.well-known/jwks.json'],
    getsToken: true,
    isCached: false,
  },
  workflow: { ...WITH_TOKEN, hidden: OPERATIONS, questions: [], isCached: false },
} as const satisfies Readonly<Record<string, ServiceTraits>>

export type ServiceName = keyof typeof SERVICES

export const serviceNames = Object.keys(SERVICES) as readonly ServiceName[]

export const isServiceName = (name: string): name is ServiceName => Object.hasOwn(SERVICES, name)
