/** What `@vextrus/shared/jwt` exports. */
export { JwtBlacklistService } from './jwt-blacklist.js'
export type { JwtClaims, JwtSurroundings } from './jwt-blacklist.js'
export { RefreshTokenFamilies } from './refresh-families.js'
export type { JwtOptions } from './options.js'
export { JwtClaimsError, JwtUnavailableError } from './errors.js'
export { jwtRefused, jwtRevoked, refreshTokenReused } from './events.js'
export type { JwtStore, MarkEnd, RotateRequest, Rotation } from './jwt-store.js'
