import type { RateLimitRefusedException } from './rate-limit.exception.js'

/**
 * A refusal as the transport tells it to its client. Web sockets and microservices hide every error but those of one class of theirs behind
 * `Internal server error`; it comes from their package, which is loaded when the first message is refused, and is there when one came.
 *
 * Their client gets `{ status: 'error', code, message, retryAfter }`; the refusal is the error's `cause`.
 */
export async function transportError(type: string, refusal: RateLimitRefusedException): Promise<Error> {
  const { code, message, retryAfter } = refusal
  const error = await makers[type]?.({ status: 'error', code, message, retryAfter })
  return error === undefined ? refusal : Object.assign(error, { cause: refusal })
}

type Told = Pick<RateLimitRefusedException, 'code' | 'message' | 'retryAfter'> & { readonly status: 'error' }

/** By the type of the context. Without the package, in an application that has a transport of its own, the refusal stays as it is. */
const makers: Readonly<Record<string, ((told: Told) => Promise<Error | undefined>) | undefined>> = {
  ws: async (told) => {
    const loaded = await installed(import('@nestjs/websockets'))
    return loaded && new loaded.WsException(told)
  },
  rpc: async (told) => {
    const loaded = await installed(import('@nestjs/microservices'))
    return loaded && new loaded.RpcException(told)
  },
}

async function installed<Module>(loading: Promise<Module>): Promise<Module | undefined> {
  try {
    return await loading
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}
