import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { requestOf } from '../../nest/request-of.js'
import type { Session } from '../session.js'
import { sessionOf } from './request-session.js'

/**
 * The session that `SessionGuard` found for this request, or one field of it; undefined where a route is open to everybody and there is none.
 *
 * @example `show(@CurrentSession() session: Session<Cart>, @CurrentSession('userId') user: string)`
 */
export const CurrentSession: (field?: keyof Session<unknown>) => ParameterDecorator = createParamDecorator(
  (field: keyof Session<unknown> | undefined, context: ExecutionContext): unknown => {
    const request = requestOf(context)
    const session = request && sessionOf(request)
    return field === undefined ? session : session?.[field]
  },
)
