import { MemoryHub } from '@vextrus/shared/cache'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../../../packages/shared/test/support/redis-server.js'
import { patient } from '../../service-kit/test/support/servers.js'
import { DEMO_ACCOUNTS } from '../src/seed/demo-accounts.js'
import { startPostgres, type TestDatabase } from './support/database.js'
import {
  claimsOf,
  type Place,
  startAuth,
  startGateway,
  type TestAuth,
  type TestGateway,
  until,
} from './support/fleet.js'

const [ada, grace, otherAda] = DEMO_ACCOUNTS as [Person, Person, Person]
type Person = (typeof DEMO_ACCOUNTS)[number]
const credentialsOf = ({ tenantId, name, password }: Person) => ({ tenantId, name, password })

/** Two replicas of the service – the second gives no grace to refresh tokens that were used –, and a gateway. */
let auth: TestAuth
let graceless: TestAuth
let gateway: TestGateway

async function startFleet(place: Place): Promise<void> {
  auth = await startAuth(place)
  graceless = await startAuth(place, { jwt: { refreshGrace: 0 } })
  gateway = await startGateway(auth, place)
}

async function stopFleet(): Promise<void> {
  await gateway?.close()
  await graceless?.close()
  await auth?.close()
}

const places: [string, () => { start(): Promise<Place>; stop(): Promise<unknown> }][] = [
  [
    'one memory, and Postgres',
    () => {
      let database: TestDatabase | undefined
      return {
        start: async () => ({ hub: new MemoryHub(), database: (database = await startPostgres()) }),
        stop: async () => database?.stop(),
      }
    },
  ],
  [
    'Redis and Postgres',
    () => {
      let servers: [TestDatabase, RedisServer] | undefined
      return {
        async start() {
          servers = await Promise.all([startPostgres(), startRedis()])
          return { database: servers[0], redis: patient(servers[1]) }
        },
        stop: () => Promise.all((servers ?? []).map((server) => server.stop())),
      }
    },
  ],
]

describe.each(places)('on %s', (_, placeOf) => {
  const place = placeOf()
  beforeAll(async () => startFleet(await place.start()))
  afterAll(async () => {
    await stopFleet()
    await place.stop()
  })

  /** Through the gateway, as everybody does. */
  const logIn = async (person: Person = ada, userAgent = 'a test') => {
    const { status, body } = await gateway.post('/auth/login', { body: credentialsOf(person), userAgent })
    expect(status).toBe(200)
    return body as { accessToken: string; refreshToken: string; user: { id: string } }
  }
  const isAccepted = async (token: string) => {
    const { status } = await gateway.get('/finance/invoices', { token })
    expect([200, 401]).toContain(status)
    return status === 200
  }
  /** A gateway hears of it within a push. */
  const untilRefused = (token: string) => until('the gateway refuses it', async () => !(await isAccepted(token)))
  const refresh = (refreshToken: string, at: Pick<TestAuth, 'post'> = auth) =>
    at.post('/refresh', { body: { refreshToken } })

  it('a name and a password are answered with tokens, by which the gateway knows their user', async () => {
    const { status, headers, body } = await gateway.post('/auth/login', { body: credentialsOf(ada) })
    const { id, tenantId, name, displayName, roles } = ada
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    const user = { id, tenantId, name, displayName, roles }
    const text = expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    expect(body).toEqual({ accessToken: text, tokenType: 'Bearer', expiresIn: 900, refreshToken: text, user })
    const { iat, exp, sid, ...claims } = claimsOf(body.accessToken)
    expect(claims).toEqual({
      sub: id,
      tenantId,
      roles,
      jti: expect.any(String),
      fam: sid,
      iss: 'vextrus',
      aud: 'vextrus-api',
    })
    expect(exp - iat).toBe(900)
    const token = body.accessToken
    expect((await gateway.get('/me', { token })).body).toEqual({ id, tenantId, roles, plan: 'enterprise' })
    expect((await gateway.get('/auth/me', { token })).body).toEqual(user)
    gateway.upstream.seen.length = 0
    await gateway.get('/finance/invoices', { token })
    const told = { 'x-tenant-id': tenantId, 'x-user-id': id, 'x-user-roles': 'admin,clerk' }
    expect(gateway.upstream.seen[0]?.headers).toMatchObject(told)
  })

  it('what is wrong with a log-in nobody is told', async () => {
    const wrong = [
      { ...credentialsOf(grace), password: ada.password },
      { ...credentialsOf(ada), name: 'nobody' },
      { ...credentialsOf(ada), tenantId: 'nowhere' },
    ]
    const answers = await Promise.all(wrong.map((body, at) => auth.post('/login', { body, from: `192.0.2.${at}` })))
    const [{ body: first }] = answers as [(typeof answers)[0]]
    expect(first).toMatchObject({ status: 401, detail: 'The tenant, the name or the password is wrong' })
    for (const { status, body } of answers) expect([status, body]).toEqual([401, first])
    expect(await auth.post('/login', { body: { ...credentialsOf(ada), name: 'ADA' } })).toMatchObject({ status: 200 })
    expect(await auth.post('/login', { body: { name: 'ada', password: 'x' } })).toMatchObject({ status: 400 })
  })

  it('two tenants have a user of one name each, who have nothing of each other', async () => {
    const [one, other] = [await logIn(ada), await logIn(otherAda)]
    expect(one.user.id).not.toBe(other.user.id)
    expect((await gateway.get('/me', { token: other.accessToken })).body).toMatchObject({
      tenantId: 'elbe-elektronik',
      roles: ['approver', 'clerk'],
    })
    const devicesOf = async (token: string) => (await auth.get('/devices', { token })).body as { handle: string }[]
    const handles = (await devicesOf(one.accessToken)).map(({ handle }) => handle)
    expect(handles).toContain(claimsOf(one.accessToken)['sid'])
    for (const { handle } of await devicesOf(other.accessToken)) expect(handles).not.toContain(handle)
    // A handle opens nothing that is not its user's.
    const path = `/devices/${claimsOf(one.accessToken)['sid']}`
    expect(await auth.delete(path, { token: other.accessToken })).toMatchObject({ status: 404 })
    await auth.post('/logout-everywhere', { token: other.accessToken })
    await untilRefused(other.accessToken)
    expect(await isAccepted(one.accessToken)).toBe(true)
  })

  it('a refresh token is answered with new ones, and the user as it is now', async () => {
    const first = await logIn(grace)
    const { status, body: second } = await refresh(first.refreshToken)
    expect(status).toBe(200)
    expect(second.user).toMatchObject({ name: 'grace', roles: ['approver'] })
    expect(second.refreshToken).not.toBe(first.refreshToken)
    for (const { accessToken } of [first, second]) expect(await isAccepted(accessToken)).toBe(true)
    expect(await refresh(second.refreshToken, gateway)).toMatchObject({ status: 404 })
    expect(await gateway.post('/auth/refresh', { body: { refreshToken: second.refreshToken } })).toMatchObject({
      status: 200,
    })
  })

  it('a refresh token that comes again at once, since its answer was lost, is answered again with what is valid', async () => {
    const { refreshToken } = await logIn(grace)
    const [one, other] = await Promise.all([refresh(refreshToken), refresh(refreshToken)])
    expect([one.status, other.status]).toEqual([200, 200])
    expect(claimsOf(one.body.refreshToken)['jti']).toBe(claimsOf(other.body.refreshToken)['jti'])
    expect(await refresh(other.body.refreshToken)).toMatchObject({ status: 200 })
  })

  it('a refresh token that was used ends the log-in for both who have it, and no other', async () => {
    const [stolen, elsewhere] = [await logIn(grace, 'stolen'), await logIn(grace, 'elsewhere')]
    const thief = (await refresh(stolen.refreshToken)).body
    expect(await refresh(stolen.refreshToken, graceless)).toMatchObject({ status: 401 })
    for (const token of [stolen.accessToken, thief.accessToken]) await untilRefused(token)
    expect(await refresh(thief.refreshToken)).toMatchObject({ status: 401 })
    expect(await isAccepted(elsewhere.accessToken)).toBe(true)
    const { body } = await auth.get('/devices', { token: elsewhere.accessToken })
    expect(body.map(({ userAgent }: { userAgent: string }) => userAgent)).not.toContain('stolen')
  })

  it('neither kind of token passes for the other, and none that is made up passes', async () => {
    const { accessToken, refreshToken } = await logIn()
    expect(await isAccepted(refreshToken)).toBe(false)
    expect(await auth.get('/devices', { token: refreshToken })).toMatchObject({ status: 401 })
    expect(await refresh(accessToken)).toMatchObject({ status: 401 })
    expect(await refresh(`${refreshToken.slice(0, -4)}AAAA`)).toMatchObject({ status: 401 })
    expect(await refresh('nonsense')).toMatchObject({ status: 401 })
    const without = await auth.get('/devices')
    expect([without.status, without.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
  })

  it('a log-out ends the tokens at once, here and at the gateway, and those of other devices live on', async () => {
    const [here, elsewhere] = [await logIn(), await logIn()]
    const { accessToken: token } = here
    for (let i = 0; i < 2; i++) expect(await isAccepted(token)).toBe(true)
    expect(await gateway.post('/auth/logout', { token })).toMatchObject({ status: 204 })
    for (const replica of [auth, graceless]) expect(await replica.get('/me', { token })).toMatchObject({ status: 401 })
    await untilRefused(token)
    expect(await refresh(here.refreshToken)).toMatchObject({ status: 401 })
    expect(await auth.get('/introspection', { token })).toMatchObject({ status: 401 })
    expect(await isAccepted(elsewhere.accessToken)).toBe(true)
    expect(await auth.get('/introspection', { token: elsewhere.accessToken })).toMatchObject({ status: 204 })
    expect(await refresh(elsewhere.refreshToken)).toMatchObject({ status: 200 })
  })

  it('a log-out everywhere ends all that were, and whoever logs in at the same moment is in', async () => {
    const before = [await logIn(), await logIn(), await logIn()]
    const { status, body } = await gateway.post('/auth/logout-everywhere', { token: before[0]!.accessToken })
    expect([status, body.ended >= 3]).toEqual([200, true])
    // On the replica that has not been told but through the store.
    const again = await graceless.post('/login', { body: credentialsOf(ada), userAgent: 'again' })
    expect(again.status).toBe(200)
    for (const { accessToken, refreshToken } of before) {
      await untilRefused(accessToken)
      expect(await refresh(refreshToken)).toMatchObject({ status: 401 })
    }
    expect(await isAccepted(again.body.accessToken)).toBe(true)
    expect(await refresh(again.body.refreshToken)).toMatchObject({ status: 200 })
    const { body: devices } = await auth.get('/devices', { token: again.body.accessToken })
    expect(devices).toMatchObject([{ userAgent: 'again', isThis: true }])
  })

  it('a user sees where it is logged in, and ends what it does not know', async () => {
    const from = (address: string, userAgent: string) =>
      auth.post('/login', { body: credentialsOf(otherAda), from: address, userAgent })
    const [desk, phone] = [await from('198.51.100.7', 'Firefox'), await from('2001:db8:1:2::3', 'x'.repeat(300))]
    const { accessToken: token } = desk.body
    const devices = (await gateway.get('/auth/devices', { token })).body
    const own = claimsOf(token)['sid']
    const other = claimsOf(phone.body.accessToken)['sid']
    expect(devices).toMatchObject([
      { handle: own, userAgent: 'Firefox', address: '198.51.100.7', isThis: true },
      { handle: other, userAgent: 'x'.repeat(200), address: '2001:db8:1:2::/64', isThis: false },
    ])
    for (const text of Object.values(devices[0])) expect(text).not.toBe(claimsOf(desk.body.refreshToken)['session'])
    expect(await gateway.delete(`/auth/devices/${other}`, { token })).toMatchObject({ status: 204 })
    await untilRefused(phone.body.accessToken)
    expect(await refresh(phone.body.refreshToken)).toMatchObject({ status: 401 })
    expect((await auth.get('/devices', { token })).body).toHaveLength(1)
    expect(await gateway.delete(`/auth/devices/${other}`, { token })).toMatchObject({ status: 404 })
    expect(await gateway.delete('/auth/devices/no-handle', { token })).toMatchObject({ status: 400 })
    expect(await isAccepted(token)).toBe(true)
  })

  it('an account that was closed has no log-in and no refresh any more', async () => {
    const { refreshToken, accessToken } = await logIn(grace)
    await auth.query('UPDATE auth.users SET is_enabled = false WHERE id = $1', grace.id)
    try {
      expect(await refresh(refreshToken)).toMatchObject({ status: 401 })
      await untilRefused(accessToken)
      expect(await auth.post('/login', { body: credentialsOf(grace) })).toMatchObject({ status: 401 })
    } finally {
      await auth.query('UPDATE auth.users SET is_enabled = true WHERE id = $1', grace.id)
    }
    expect(await refresh(refreshToken)).toMatchObject({ status: 401 })
    await logIn(grace)
  })

  it('whoever guesses the password of one user is stopped, wherever from, and nobody else', async () => {
    const guess = (at: number, person: Person = ada, replica = auth) =>
      replica.post('/login', { body: { ...credentialsOf(person), password: 'guessed' }, from: `203.0.113.${at}` })
    for (let at = 0; at < 5; at++)
      expect(await guess(at, ada, at % 2 === 0 ? auth : graceless)).toMatchObject({ status: 401 })
    const refused = await guess(99)
    expect([refused.status, refused.headers.get('content-type')]).toEqual([
      429,
      expect.stringContaining('problem+json'),
    ])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(refused.body).toMatchObject({ status: 429, 'violated-policies': ['login-user'] })
    // Nor with the right password, or the name in other letters: else it was the guess that counts.
    const right = { ...credentialsOf(ada), name: 'Ada' }
    expect(await auth.post('/login', { body: right, from: '203.0.113.98' })).toMatchObject({ status: 429 })
    expect(await guess(97, otherAda)).toMatchObject({ status: 401 })
    expect(await auth.post('/login', { body: credentialsOf(otherAda) })).toMatchObject({ status: 200 })
  })

  it('whoever guesses from one address is stopped for all users of all tenants; others are not, nor who is right', async () => {
    const tenants = ['aurora-hardware', 'elbe-elektronik', 'nowhere']
    const guess = (at: number, from: string) =>
      auth.post('/login', { body: { tenantId: tenants[at % 3], name: `user-${at}`, password: 'guessed' }, from })
    // A right one gives back what it took.
    for (let i = 0; i < 3; i++) {
      const right = await auth.post('/login', { body: credentialsOf(otherAda), from: '2001:db8::1' })
      expect(right.status).toBe(200)
    }
    // Of IPv6 it is the network.
    for (let at = 0; at < 12; at++) expect(await guess(at, `2001:db8::${at + 1}`)).toMatchObject({ status: 401 })
    expect((await guess(12, '2001:db8::99')).body).toMatchObject({
      status: 429,
      'violated-policies': ['login-address'],
    })
    expect(await guess(13, '2001:db8:0:1::1')).toMatchObject({ status: 401 })
  })

  it('passwords that were stored at another cost are stored anew by a log-in', async () => {
    await logIn(otherAda)
    const [row] = await auth.query<{ password_hash: string }>(
      'SELECT password_hash FROM auth.users WHERE id = $1',
      otherAda.id,
    )
    expect(row?.password_hash).toMatch(/^\$scrypt\$ln=4,r=8,p=1\$/)
    await logIn(otherAda)
  })

  it('a user can’t be given a role of another tenant', async () => {
    const give = auth.query(
      "INSERT INTO auth.user_roles (tenant_id, user_id, role) VALUES ('elbe-elektronik', $1, 'admin')",
      ada.id,
    )
    await expect(give).rejects.toThrowError(/foreign key/)
  })
})
