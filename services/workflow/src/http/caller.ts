import type { IncomingMessage } from 'node:http'
import { createParamDecorator, type ExecutionContext, ForbiddenException, UnauthorizedException } from '@nestjs/common'

/** Who asks, as the gateway says; the tenant comes with `@CurrentTenant`. */
export interface Caller {
  readonly id: string
  readonly roles: ReadonlySet<string>
}

/** What people may do in their tenant, by the names that the auth service gives out. */
export type Role = 'admin' | 'approver'

/** What the gateway takes for an id: printable, without spaces. */
const USER_ID = /^[\x21-\x7e]{1,255}$/

/** @throws UnauthorizedException nobody is named */
export function callerOf({ headers }: Pick<IncomingMessage, 'headers'>): Caller {
  const { 'x-user-id': id, 'x-user-roles': roles = '' } = headers
  if (typeof id !== 'string' || !USER_ID.test(id)) {
    throw new UnauthorizedException('The header x-user-id is missing, or is no id: the gateway sends it')
  }
  const names = String(roles).split(',')
  return { id, roles: new Set(names.map((name) => name.trim()).filter((name) => name !== '')) }
}

/** @throws ForbiddenException */
export function assertRole({ roles }: Caller, role: Role): void {
  if (!roles.has(role)) throw new ForbiddenException(`This needs the role ${role}`)
}

/** The user whose request it is. */
export const CurrentCaller = createParamDecorator((_: unknown, context: ExecutionContext): Caller =>
  callerOf(context.switchToHttp().getRequest<IncomingMessage>()),
)
