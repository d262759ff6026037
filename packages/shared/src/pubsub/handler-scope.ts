import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'

/**
 * Where the handler of one subscription runs: in the asynchronous context of the call that subscribed. Without it a handler would run in the
 * context of whoever opened the connection, or published, and so with the tenant of a stranger's request.
 */
export class HandlerScope {
  /** Knows of the scope from its beginning, so that to run in it is one step. */
  private readonly context = handling.run(this, () => new AsyncResource('VextrusSubscription'))

  run<T>(call: () => T): T {
    return this.context.runInAsyncScope(call)
  }

  /** The caller runs in the handler of this subscription: it must not wait for the handler to end. */
  get within(): boolean {
    return handling.getStore() === this
  }
}

const handling = new AsyncLocalStorage<HandlerScope>()
