/** The two sides of a subscription: what to listen to, and who listens. Made by the `Subscriber`. */

/** What to subscribe to: one channel, every channel that a glob matches, or a sharded channel of a Cluster, at the master of its slot. */
export type SubscriptionTarget =
  { readonly channel: string } | { readonly pattern: string } | { readonly sharded: string }

export interface SubscriptionHandler {
  /** A message. With a pattern, `channel` is the one it was published to. */
  message(payload: Buffer, channel: string): void | Promise<void>
  /**
   * The connection was lost and is back. Messages of before `sinceMonoMs` (monotonic) have come, messages from now on will; those between may
   * be missing.
   */
  gap?(sinceMonoMs: number): void | Promise<void>
  /** The connection was lost: messages are missing from now on, until {@link gap}. */
  lost?(): void | Promise<void>
  /** After a reconnect, the server refuses the subscription; it is tried again. */
  refused?(failure: Error): void | Promise<void>
}

export interface Subscription extends AsyncDisposable {
  /** The handler is not called again. Doing it twice does nothing. */
  unsubscribe(): Promise<void>
}
