import { label } from '@vextrus/service-kit'
import type { SessionInfo } from '@vextrus/shared/session'
import { z } from 'zod'
import type { KnownUser } from '../users/users.js'

/** Input and output of the endpoints: checked at run time, and the source of the OpenAPI document. */

export const credentials = z.strictObject({
  tenantId: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,63}$/)
    .meta({ example: 'aurora-hardware' }),
  name: label(100).meta({ example: 'ada' }),
  password: z.string().min(1).max(256),
})

/** A token of this service has some hundred bytes. */
export const refreshInput = z.strictObject({ refreshToken: z.string().min(1).max(4_096) })

export const userSchema = z.object({
  id: z.string().meta({ description: 'The claim "sub" of its tokens' }),
  tenantId: z.string(),
  name: z.string(),
  displayName: z.string(),
  roles: z.array(z.string()),
})
export type UserView = z.infer<typeof userSchema>
export const userView = (user: KnownUser): UserView => ({ ...user, roles: [...user.roles] })

export const pairSchema = z.object({
  accessToken: z.string().meta({ description: 'A JWT, for the header Authorization: Bearer' }),
  tokenType: z.literal('Bearer'),
  expiresIn: z.number().int().meta({ description: 'Seconds' }),
  refreshToken: z.string().meta({ description: 'For POST /refresh, once. Keep it as a password is kept' }),
  user: userSchema,
})

export const deviceSchema = z.object({
  handle: z.string().meta({ description: 'Names it for DELETE /devices/:handle, and opens nothing' }),
  userAgent: z.string(),
  address: z.string().nullable().meta({ description: 'Of IPv6 the network' }),
  isThis: z.boolean().meta({ description: 'The one that asks' }),
  createdAt: z.iso.datetime(),
  seenAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().meta({ description: 'If it is not used' }),
})
export type DeviceView = z.infer<typeof deviceSchema>

/** @param ownHandle of the session that asks */
export const deviceView = (info: SessionInfo, ownHandle: string): DeviceView => {
  const { handle, meta, createdAt, seenAt, expiresAt } = info
  return {
    handle,
    userAgent: typeof meta['userAgent'] === 'string' ? meta['userAgent'] : 'unknown',
    address: typeof meta['address'] === 'string' ? meta['address'] : null,
    isThis: handle === ownHandle,
    createdAt: createdAt.toISOString(),
    seenAt: seenAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  }
}

export const endedSchema = z.object({ ended: z.number().int().meta({ description: 'Devices that were logged in' }) })
