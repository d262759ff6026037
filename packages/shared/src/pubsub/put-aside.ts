/**
 * The channel in whose log the messages stand that consumers of a group could not handle: each once, as it was published, for `pubsub.keep`. Read it
 * as any log: `subscribe(putAsideChannel('orders', 'billing'), handler, { from: 'start' })`.
 */
export function putAsideChannel(channel: string, group: string): string {
  return `${channel}:put-aside:${group}`
}
