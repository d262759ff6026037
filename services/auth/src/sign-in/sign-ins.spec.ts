import { generateKeyPairSync } from 'node:crypto'
import {
  type INestApplicationContext,
  Module,
  ServiceUnavailableException,
  UnauthorizedException,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { RedisCacheModule } from '@vextrus/shared/cache'
import { RefreshTokenFamilies } from '@vextrus/shared/jwt'
import { SessionService } from '@vextrus/shared/session'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { AUTH_CONFIG } from '../config.js'
import { SigningKeys } from '../tokens/signing-keys.js'
import { Tokens } from '../tokens/tokens.js'
import { type KnownUser, Users } from '../users/users.js'
import { Attempts } from './attempts.js'
import { SignIns } from './sign-ins.js'

/** What happens between the steps of a log-in and of a refresh: in memory, with users that a test can hold up. */

const ada: KnownUser = { id: 'u-ada', tenantId: 'aurora-hardware', name: 'ada', displayName: 'Ada', roles: ['admin'] }
const credentials = { tenantId: ada.tenantId, name: 'ada', password: 'right' }
const device = { userAgent: 'a test', address: '192.0.2.1' }
const users = { withPassword: vi.fn<Users['withPassword']>(), get: vi.fn<Users['get']>() }

@Module({})
class TestModule {}

let app: INestApplicationContext
let signIns: SignIns

beforeEach(async () => {
  users.withPassword.mockReset().mockResolvedValue(ada)
  users.get.mockReset().mockResolvedValue(ada)
  const config = {
    tokens: { issuer: 'vextrus', audience: 'vextrus-api' },
    attempts: { ofUser: 3, fromAddress: 12 },
  }
  const signing = generateKeyPairSync('ed25519').privateKey
  const module = {
    module: TestModule,
    imports: [RedisCacheModule.forRoot({ driver: 'memory', tenancy: { required: true }, jwt: { near: false } })],
    providers: [
      { provide: AUTH_CONFIG, useValue: config },
      { provide: Users, useValue: users },
      { provide: SigningKeys, useFactory: () => SigningKeys.from({ signing, earlier: [] }) },
      ...[Tokens, Attempts, SignIns],
    ],
  }
  app = await NestFactory.createApplicationContext(module, { logger: false })
  signIns = app.get(SignIns)
})

afterEach(async () => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  await app?.close()
})

/** The user logs out everywhere, and the seconds that are revoked pass before what was under way goes on. */
async function logOutMeanwhile(): Promise<void> {
  const claims = { sub: ada.id, tenantId: ada.tenantId, roles: [], jti: 'j', fam: 'f', sid: 'f', iat: 1, exp: 2 }
  await signIns.logOutEverywhere(claims)
  vi.setSystemTime(Date.now() + 2_000)
}

it('a refresh that was under way when the user logged out everywhere is answered with no token, however slow it was', async () => {
  const { refreshToken } = await signIns.logIn(credentials, device)
  vi.useFakeTimers({ toFake: ['Date'] })
  users.get.mockImplementationOnce(async () => {
    await logOutMeanwhile()
    return ada
  })
  await expect(signIns.refresh(refreshToken)).rejects.toThrowError(UnauthorizedException)
})

it('a log-in too', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const families = app.get(RefreshTokenFamilies)
  const begin = families.begin.bind(families)
  vi.spyOn(families, 'begin').mockImplementationOnce(async (...args) => {
    await logOutMeanwhile()
    await begin(...args)
  })
  await expect(signIns.logIn(credentials, device)).rejects.toThrowError(UnauthorizedException)
  expect(await signIns.logIn(credentials, device)).toMatchObject({ user: ada })
})

it('a log-in that fails before anybody has looked at its password takes no attempt', async () => {
  users.withPassword.mockRejectedValue(new ServiceUnavailableException('too many'))
  for (let i = 0; i < 5; i++) {
    await expect(signIns.logIn(credentials, device)).rejects.toThrowError(ServiceUnavailableException)
  }
  users.withPassword.mockResolvedValue(ada)
  expect(await signIns.logIn(credentials, device)).toMatchObject({ user: ada })
})

it('a token that another replica, whose clock is ahead, has dated in the next second ends with a log-out everywhere', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2030, 0, 1) })
  const { accessToken } = await signIns.logIn(credentials, device)
  const claims = await signIns.signedIn(accessToken)
  vi.setSystemTime(Date.UTC(2030, 0, 1) - 1)
  await signIns.logOutEverywhere(claims)
  await expect(signIns.signedIn(accessToken)).rejects.toThrowError(UnauthorizedException)
})

it.each(['session', 'family'])('a log-out that fails at the %s can be made again with the same token', async (at) => {
  const { accessToken, refreshToken } = await signIns.logIn(credentials, device)
  const claims = await signIns.signedIn(accessToken)
  const away = new ServiceUnavailableException('away')
  if (at === 'session') vi.spyOn(app.get(SessionService), 'destroyOne').mockRejectedValueOnce(away)
  else vi.spyOn(app.get(RefreshTokenFamilies), 'end').mockRejectedValueOnce(away)
  await expect(signIns.logOut(claims)).rejects.toThrowError('away')
  await signIns.logOut(await signIns.signedIn(accessToken))
  expect(await signIns.devices(claims)).toEqual([])
  for (const asked of [signIns.signedIn(accessToken), signIns.refresh(refreshToken)]) {
    await expect(asked).rejects.toThrowError(UnauthorizedException)
  }
})
