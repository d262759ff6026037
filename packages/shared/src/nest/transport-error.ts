/** What a client is refused with, as every transport can tell it. */
export interface Refusal extends Error {
  readonly code: string
  /** Seconds. */
  readonly retryAfter?: number | undefined
}

/**
 * A refusal as the transport tells it to its client. Web sockets and microservices hide every error but those of one class of theirs behind
 * `Internal server error`; it comes from their package, which is loaded when the first message is refused, and is there when one came.
 *
 * Their client gets `{ status: 'error', code, message, retryAfter }`; the refusal is the error's `cause`.
 */
export async function transportError(type: string, refusal: Refusal): Promise<Error> {
  const { code, message, retryAfter } = refusal
  const told = { status: 'error', code, message, ...(retryAfter !== undefined && { retryAfter }) }
  const error = await errorOf(type, told)
  return error === undefined ? refusal : Object.assign(error, { cause: refusal })
}

/** Undefined: of a transport that takes the refusal as it is, or of an application that brings a web socket or microservice of its own. */
async function errorOf(type: string, told: object): Promise<Error | undefined> {
  switch (type) {
    case 'ws': {
      const loaded = await installed(import('@nestjs/websockets'))
      return loaded && new loaded.WsException(told)
    }
    case 'rpc': {
      const loaded = await installed(import('@nestjs/microservices'))
      return loaded && new loaded.RpcException(told)
    }
    default:
      return undefined
  }
}

/** What is loaded; undefined: it is not installed. */
export async function installed<Module>(loading: Promise<Module>): Promise<Module | undefined> {
  try {
    return await loading
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}
