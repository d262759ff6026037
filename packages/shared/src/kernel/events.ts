import { channel } from 'node:diagnostics_channel'

/**
 * Typed events on `node:diagnostics_channel`: engines publish, integrations and users' tools subscribe, and neither knows the other. Anyone
 * may also subscribe by the channel's name, without this package.
 */
export interface EventDefinition<Payload> {
  /** The channel's name, `vextrus:<area>.<event>`. */
  readonly name: string
  /** Publishes what `make` returns; `make` is not called while nobody listens. */
  publish(make: () => Payload): void
  /**
   * Listens, synchronously with the publisher. A listener that throws disturbs neither the publisher nor the other listeners; its first error
   * is reported as a process warning. Answers the way to stop.
   */
  subscribe(listener: (payload: Payload) => void): () => void
}

/**
 * Defines the event of a name such as `cache.fill`. Two definitions of one name, also from two copies of the package, share a channel.
 *
 * What Node 20 does with a subscriber that throws: `publish` catches it, goes on with the next one, and raises the error on the next tick as
 * an uncaught exception, which ends the process. A faulty metrics listener is no reason for that, so ours are wrapped; those who subscribe to
 * the channel directly have Node's behaviour.
 */
export function defineEvent<Payload>(name: `${string}.${string}`): EventDefinition<Payload> {
  const fullName = `vextrus:${name}`
  const target = channel(fullName)
  return {
    name: fullName,
    publish(make) {
      if (target.hasSubscribers) target.publish(make())
    },
    subscribe(listener) {
      let warned = false
      const guarded = (payload: unknown): void => {
        try {
          listener(payload as Payload)
        } catch (error) {
          if (warned) return
          warned = true
          process.emitWarning(
            `A subscriber of ${fullName} threw: ${error instanceof Error ? error.stack : String(error)}`,
            'VextrusEventWarning',
          )
        }
      }
      target.subscribe(guarded)
      return () => {
        target.unsubscribe(guarded)
      }
    },
  }
}
