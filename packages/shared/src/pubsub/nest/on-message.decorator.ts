import { ConfigurationError } from '../../kernel/errors.js'
import { assertKey } from '../../kernel/key.js'
import { assertDecoratable, rememberNeed } from '../../nest/decorated-method.js'
import { type Check, checkOptions, isCallback, isConnection } from '../../nest/decorator-options.js'
import { DEFAULT_CONNECTION, getVextrusToken } from '../../nest/tokens.js'
import { count } from '../options.js'
import type { MessageMeta, SubscribeOptions } from '../public-types.js'
import { RedisPubSubService } from '../pubsub.js'

/** What {@link OnMessage} takes: what `subscribe` does, and the connection. `onMissed` sees the instance as `this`. */
export interface OnMessageOptions extends SubscribeOptions {
  /** The `name` of the `forRoot` whose messages these are. @default 'default' */
  readonly connection?: string | undefined
}

/** Stands on methods that take a message, and what is told beside it. */
export type MessageMethodDecorator = <
  // oxlint-disable-next-line typescript/no-explicit-any -- the message has the type that the handler says
  Method extends (message: any, meta: MessageMeta) => unknown,
>(
  prototype: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void

/**
 * Calls the method of a provider or controller with each message of a channel, or of all channels that a pattern matches, as
 * `RedisPubSubService.subscribe` does: one after the other, the next when its promise has settled; one that fails is reported, and gets the next.
 *
 * Nest's instance is subscribed when the application has booted, and until it is closed: a call that runs then gets a second to end, before the first
 * `onApplicationShutdown`, where a class gives up what its handlers need. While Redis is away the application boots all the same, and it is tried again
 * until it is back. The methods of a class that is provided twice are called twice;
 * with `group` each message goes to one of them. A class that extends a decorated one inherits its handlers; a method that it overrides is one again
 * when it is decorated itself. On one method several times: several subscriptions.
 *
 * Handlers run in no request and as no tenant: call `runAsTenant` in them. A class of request or transient scope is refused at boot.
 *
 * @example
 * ```ts
 * @OnMessage('orders:*')
 * async changed(event: OrderEvent, { channel }: MessageMeta): Promise<void> { … }
 *
 * @OnMessage('invoices', { group: 'mailer' })                  // durable: each to one process, at least once
 * async send(invoice: Invoice, { messageId }: MessageMeta): Promise<void> { … }
 * ```
 * @throws ConfigurationError, InvalidKeyError at decoration: a channel or an option that can't be used
 */
export function OnMessage(channelOrPattern: string, options: OnMessageOptions = {}): MessageMethodDecorator {
  assertKey(channelOrPattern, '@OnMessage: channel')
  checkOptions<OnMessageOptions>('@OnMessage', options, {
    from: isText,
    group: isText,
    consumer: isText,
    concurrency: isCount,
    maxQueued: isCount,
    onMissed: isCallback,
    connection: isConnection,
  })
  const { connection = DEFAULT_CONNECTION, ...rest } = options
  return (prototype, name, descriptor) => {
    assertDecoratable('@OnMessage', prototype, name, (descriptor as PropertyDescriptor | undefined)?.value)
    rememberNeed(prototype, getVextrusToken(RedisPubSubService, connection))
    const methods = declared.get(prototype) ?? new Map<string | symbol, MessageRoute[]>()
    declared.set(prototype, methods)
    const routes = methods.get(name) ?? []
    methods.set(name, routes)
    // Decorators are applied from the last to the first.
    routes.unshift({ name, channelOrPattern, connection, options: rest })
  }
}

/** What one {@link OnMessage} says. */
export interface MessageRoute {
  /** The method's. */
  readonly name: string | symbol
  readonly channelOrPattern: string
  readonly connection: string
  readonly options: SubscribeOptions
}

/** Of the methods of a class, and of those that it inherits and does not override. */
export function messageRoutesOf(prototype: object): readonly MessageRoute[] {
  const routes: MessageRoute[] = []
  const overridden = new Set<string | symbol>()
  for (let type: object | null = prototype; type !== null; type = Object.getPrototypeOf(type) as object | null) {
    for (const [name, declaredHere] of declared.get(type) ?? []) if (!overridden.has(name)) routes.push(...declaredHere)
    for (const name of Reflect.ownKeys(type)) overridden.add(name)
  }
  return routes
}

const declared = new WeakMap<object, Map<string | symbol, MessageRoute[]>>()

const isText: Check = (value, option) => {
  if (typeof value !== 'string' || value === '') throw new ConfigurationError(option, 'must be a non-empty string')
}

const isCount: Check = (value, option) => void count(value as number, option)
