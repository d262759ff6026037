import { createRequire } from 'node:module'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'

/** A site with sessions of another library, and the same routes for both libraries. */
export interface SessionSite {
  readonly url: string
  close(): Promise<void>
}

export interface SiteOptions {
  /** The library's own store when there is none. */
  readonly store?: object | undefined
  readonly cookie?: object
  readonly saveUninitialized?: boolean
  /** Of express-session `unset`. */
  readonly unset?: 'destroy' | 'keep'
  readonly idFor?: (user: string | undefined) => string
  /** Work of `/slow`, between reading and saving the session. */
  readonly slow?: () => Promise<void>
}

// oxlint-disable-next-line typescript/no-explicit-any -- express-session has no types of its own, and what it and Fastify add to requests is read by name
type Untyped = any

type Next = (error?: unknown) => void

const load = createRequire(import.meta.url) as (name: string) => Untyped
const SECRET = 'a secret of more than thirty-two characters'

/** What a route answers: the session's id and data, as it is after it did what it does. */
function shown(session: Untyped, id: string): object {
  const { cookie, ...data } = session as Record<string, unknown>
  return { id, data, cookie: JSON.parse(JSON.stringify(cookie ?? null)) as unknown }
}

export async function expressSite(options: SiteOptions): Promise<SessionSite> {
  const { store, cookie = {}, saveUninitialized = false, unset, idFor, slow } = options
  const app = new ExpressAdapter().getInstance() as Untyped
  const genid = idFor && (({ query }: Untyped): string => idFor(query?.user))
  app.use(
    load('express-session')({
      ...{ secret: SECRET, name: 'sid', resave: false, saveUninitialized, cookie, unset, genid },
      ...(store !== undefined && { store }),
    }),
  )
  const show = (req: Untyped, res: Untyped): void => res.json(shown(req.session, req.sessionID))
  app.get('/show', show)
  app.get('/set', (req: Untyped, res: Untyped) => {
    Object.assign(req.session, req.query)
    show(req, res)
  })
  app.get('/for', (req: Untyped, res: Untyped) => {
    req.session.cookie.maxAge = Number(req.query.ms)
    req.session.changed = true
    show(req, res)
  })
  app.get('/slow', (req: Untyped, res: Untyped, next: Next) => {
    slow!().then(() => {
      Object.assign(req.session, req.query)
      show(req, res)
    }, next)
  })
  app.get('/reload', (req: Untyped, res: Untyped, next: Next) => {
    slow!().then(() => req.session.reload((error: unknown) => (error ? next(error) : show(req, res))), next)
  })
  app.get('/destroy', (req: Untyped, res: Untyped, next: Untyped) => {
    req.session.destroy((error: unknown) => (error ? next(error) : res.json({ destroyed: true })))
  })
  app.get('/unset', (req: Untyped, res: Untyped) => {
    req.session = null
    res.json({ unset: true })
  })
  app.get('/regenerate', (req: Untyped, res: Untyped, next: Untyped) => {
    req.session.regenerate((error: unknown) => {
      if (error) return next(error)
      Object.assign(req.session, req.query)
      show(req, res)
    })
  })
  app.use((error: Untyped, _: Untyped, res: Untyped, next: Untyped) =>
    res.headersSent ? next(error) : res.status(500).json({ error: error.code ?? error.message }),
  )
  const server = await new Promise<Untyped>((resolve) => {
    const listening = app.listen(0, '127.0.0.1', () => resolve(listening))
  })
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

export async function fastifySite(options: SiteOptions): Promise<SessionSite> {
  const { store, cookie = {}, saveUninitialized = false, idFor, slow } = options
  const app = new FastifyAdapter().getInstance() as Untyped
  await app.register(load('@fastify/cookie'))
  await app.register(load('@fastify/session'), {
    ...{ secret: SECRET, cookieName: 'sid', saveUninitialized, cookie: { secure: false, ...cookie } },
    ...(store !== undefined && { store }),
    ...(idFor && { idGenerator: (request: Untyped): string => idFor(request?.query?.user) }),
  })
  const route = (url: string, handler: (request: Untyped) => Promise<object>): void =>
    void app.route({ method: 'GET', url, handler })
  const show = (request: Untyped): object => shown(request.session, request.session.sessionId)
  const assign = (request: Untyped): object => {
    for (const [name, value] of Object.entries(request.query)) request.session.set(name, value)
    return show(request)
  }
  route('/show', async (request: Untyped) => show(request))
  route('/set', async (request: Untyped) => assign(request))
  route('/for', async (request: Untyped) => {
    request.session.cookie.maxAge = Number(request.query.ms)
    request.session.set('changed', true)
    return show(request)
  })
  route('/slow', async (request: Untyped) => {
    await slow!()
    return assign(request)
  })
  route('/reload', async (request: Untyped) => {
    await slow!()
    await request.session.reload()
    return show(request)
  })
  route('/destroy', async (request: Untyped) => {
    await request.session.destroy()
    return { destroyed: true }
  })
  route('/regenerate', async (request: Untyped) => {
    await request.session.regenerate()
    return assign(request)
  })
  app.setErrorHandler((error: Untyped, _: Untyped, reply: Untyped) =>
    reply.status(500).send({ error: error.code ?? error.message }),
  )
  const url = (await app.listen({ port: 0, host: '127.0.0.1' })) as string
  return { url, close: () => app.close() as Promise<void> }
}

/** A browser with one cookie. */
export class Browser {
  cookie: string | undefined

  constructor(private readonly site: SessionSite) {}

  /** What a route answers, with its status. */
  async get(path: string): Promise<Untyped> {
    const headers = { connection: 'close', ...(this.cookie !== undefined && { cookie: this.cookie }) }
    const response = await fetch(this.site.url + path, { headers })
    const [field] = response.headers.getSetCookie()
    if (field !== undefined) this.cookie = field.split(';')[0]
    return { status: response.status, set: field !== undefined, ...((await response.json()) as object) }
  }
}
