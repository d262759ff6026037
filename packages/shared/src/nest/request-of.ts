import type { ExecutionContext } from '@nestjs/common'

/**
 * What a guard reads of who asks: over HTTP the request, of Express or Fastify; in GraphQL the request in the context of the driver, or that
 * context; of a web socket its client. Undefined: a message of a microservice, for what is in it is the sender's to say; or there is nothing.
 */
export function requestOf(context: ExecutionContext): object | undefined {
  const args = context.getArgs<unknown[]>()
  switch (context.getType<string>()) {
    case 'rpc':
      return undefined
    case 'graphql': {
      // A resolver of references has no arguments before the context.
      const given = args[args.length === 3 ? 1 : 2] as GraphqlContext | null | undefined
      return asObject(given?.req ?? given?.request ?? given?.reply?.request ?? given)
    }
    default:
      return asObject(args[0])
  }
}

/** Of a driver of GraphQL; Mercurius gives the reply. */
interface GraphqlContext {
  readonly req?: unknown
  readonly request?: unknown
  readonly reply?: { readonly request?: unknown } | null
}

function asObject(value: unknown): object | undefined {
  return typeof value === 'object' && value !== null ? value : undefined
}
