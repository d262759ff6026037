/** What `@vextrus/shared/pubsub` exports. */
export { RedisPubSubService } from './pubsub.js'
export type { PubSubSurroundings } from './pubsub.js'
export { putAsideChannel } from './put-aside.js'
export type { PubSubOptions } from './options.js'
export type {
  MessageHandler,
  MessageMeta,
  MissedReason,
  PublishOptions,
  Published,
  SubscribeOptions,
  Subscription,
} from './public-types.js'
export { MessageTooLargeError, PubSubUnavailableError } from './errors.js'
export { handlerFailed, messagePutAside, messagesDropped, messagesMissed } from './events.js'
export type {
  Appended,
  AppendOptions,
  Claimed,
  ClaimedMessage,
  ClaimRequest,
  GroupMember,
  ListenTarget,
  LogMessage,
  LogPart,
  LogPlace,
  PubSubListener,
  PubSubStore,
} from './pubsub-store.js'
export { OnMessage } from './nest/on-message.decorator.js'
export type { MessageMethodDecorator, OnMessageOptions } from './nest/on-message.decorator.js'
