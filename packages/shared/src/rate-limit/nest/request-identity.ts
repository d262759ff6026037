import type { ExecutionContext } from '@nestjs/common'
import { identityText } from '../../nest/identity-text.js'
import { clientAddress } from '../client-address.js'
import type { RateLimitIds } from '../public-types.js'
import type { RateLimitGuardSettings } from './guard-options.js'

/**
 * Who asks, from what guards and middleware usually leave on a request: `user.id`, `user.sub` or `user.userId`; the application's current tenant,
 * else `tenantId`, `user.tenantId` or `user.tenant`; and the address as Express (`trust proxy`) and Fastify (`trustProxy`) make it – which headers
 * of proxies are believed is said there and nowhere else. `identity` of the options has the last word.
 *
 * - HTTP: the request. GraphQL: the request in the context of the driver.
 * - Web sockets: the client, with what is in `client.data` (socket.io), and the address of its handshake.
 * - Microservices: a message comes from no address, and what is in it is the sender's to say.
 *
 * Who has no address has one for each handler that all such callers share, `unknown:Orders.create`.
 *
 * @throws what `identity` and the application's tenancy throw
 */
export function identityOf(
  context: ExecutionContext,
  { options, currentTenant }: RateLimitGuardSettings,
): RateLimitIds | Promise<RateLimitIds> {
  const { ipv6Prefix, identity } = options
  const caller = callerOf(context)
  const { user, data } = caller
  const person = user ?? data?.user
  const found = {
    user: identityText(person?.id) ?? identityText(person?.sub) ?? identityText(person?.userId),
    tenant:
      currentTenant() ??
      identityText(caller.tenantId) ??
      identityText(data?.tenantId) ??
      identityText(person?.tenantId) ??
      identityText(person?.tenant),
    ip: clientAddress(addressOf(caller), ipv6Prefix) ?? unknownAddress(context),
  }
  return identity === undefined ? found : overridden(found, identity(context), context, ipv6Prefix)
}

async function overridden(
  found: RateLimitIds,
  answered: RateLimitIds | PromiseLike<RateLimitIds>,
  context: ExecutionContext,
  ipv6Prefix: number,
): Promise<RateLimitIds> {
  const ids: Record<string, string | undefined> = { ...found }
  // Not all are typed: a null is nobody, not somebody named null.
  for (const [name, id] of Object.entries(await answered)) ids[name] = identityText(id)
  const { ip } = ids
  return { ...ids, ip: ip === undefined ? unknownAddress(context) : (clientAddress(ip, ipv6Prefix) ?? ip) }
}

/** What requests and clients of all kinds may have. Nothing of it is sure to be there. */
interface Caller {
  readonly user?: Person | null
  readonly tenantId?: unknown
  readonly ip?: unknown
  /** Of Node. */
  readonly socket?: { readonly remoteAddress?: unknown } | null
  /** Of socket.io. */
  readonly data?: { readonly user?: Person | null; readonly tenantId?: unknown } | null
  readonly handshake?: { readonly address?: unknown } | null
  /** Of ws. */
  readonly _socket?: { readonly remoteAddress?: unknown } | null
}

interface Person {
  readonly id?: unknown
  readonly sub?: unknown
  readonly userId?: unknown
  readonly tenantId?: unknown
  readonly tenant?: unknown
}

interface GraphqlContext {
  readonly req?: unknown
  readonly request?: unknown
  /** Mercurius. */
  readonly reply?: { readonly request?: unknown } | null
}

function callerOf(context: ExecutionContext): Caller {
  const args = context.getArgs<unknown[]>()
  switch (context.getType<string>()) {
    case 'rpc':
      return NOBODY
    case 'graphql': {
      // A resolver of references has no arguments before the context.
      const given = args[args.length === 3 ? 1 : 2] as GraphqlContext | null | undefined
      return objectOf(given?.req ?? given?.request ?? given?.reply?.request ?? given)
    }
    default:
      // The request of HTTP, the client of a web socket.
      return objectOf(args[0])
  }
}

const NOBODY: Caller = Object.freeze({})

function objectOf(value: unknown): Caller {
  return typeof value === 'object' && value !== null ? value : NOBODY
}

function addressOf({ ip, handshake, socket, _socket }: Caller): string | undefined {
  return identityText(ip ?? handshake?.address ?? _socket?.remoteAddress ?? socket?.remoteAddress)
}

function unknownAddress(context: ExecutionContext): string {
  return `unknown:${context.getClass().name}.${context.getHandler().name}`
}
