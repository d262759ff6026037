import type { ExecutionContext } from '@nestjs/common'
import { identityText } from '../../nest/identity-text.js'
import { requestOf } from '../../nest/request-of.js'
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
  const { user, tenantId, address } = callerOf(context)
  const found = {
    user: identityText(user?.id) ?? identityText(user?.sub) ?? identityText(user?.userId),
    tenant: currentTenant() ?? identityText(tenantId) ?? identityText(user?.tenantId) ?? identityText(user?.tenant),
    ip: clientAddress(identityText(address), ipv6Prefix) ?? unknownAddress(context),
  }
  return identity === undefined ? found : overridden(found, identity(context), ipv6Prefix)
}

async function overridden(
  found: RateLimitIds & { readonly ip: string },
  answered: RateLimitIds | PromiseLike<RateLimitIds>,
  ipv6Prefix: number,
): Promise<RateLimitIds> {
  const ids: Record<string, string | undefined> = { ...found }
  // Not all are typed: a null is nobody, not somebody named null.
  for (const [name, id] of Object.entries(await answered)) ids[name] = identityText(id)
  const { ip = found.ip } = ids
  return { ...ids, ip: clientAddress(ip, ipv6Prefix) ?? ip }
}

/** Nothing of it is sure to be there. */
interface Caller {
  readonly user?: Person | null | undefined
  readonly tenantId?: unknown
  readonly address?: unknown
}

interface Person {
  readonly id?: unknown
  readonly sub?: unknown
  readonly userId?: unknown
  readonly tenantId?: unknown
  readonly tenant?: unknown
}

/** What requests of HTTP and clients of web sockets may have. */
interface Given extends Caller {
  /** Of Express and Fastify. */
  readonly ip?: unknown
  /** Of Node. */
  readonly socket?: Socket | null
  /** Of a client of socket.io. */
  readonly data?: Caller | null
  readonly handshake?: { readonly address?: unknown } | null
  /** Of a client of ws. */
  readonly _socket?: Socket | null
}

interface Socket {
  readonly remoteAddress?: unknown
}

function callerOf(context: ExecutionContext): Caller {
  const { user, tenantId, ip, data, handshake, _socket, socket }: Given = requestOf(context) ?? NOBODY
  if (context.getType<string>() !== 'ws') return { user, tenantId, address: ip ?? socket?.remoteAddress }
  return {
    user: data?.user ?? user,
    tenantId: data?.tenantId ?? tenantId,
    address: handshake?.address ?? _socket?.remoteAddress ?? socket?.remoteAddress,
  }
}

const NOBODY: Given = Object.freeze({})

function unknownAddress(context: ExecutionContext): string {
  return `unknown:${context.getClass().name}.${context.getHandler().name}`
}
