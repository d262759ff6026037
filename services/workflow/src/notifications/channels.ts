import { userSegment } from '../http/user-segment.js'

/** What is told to one user of a tenant. Durable: a browser that comes back gets what it has missed. */
export const userChannel = (tenant: string, user: string): string => `notify:${tenant}:${userSegment(user)}`

/** What is told to everybody of a tenant. */
export const tenantChannel = (tenant: string): string => `notify:${tenant}`
