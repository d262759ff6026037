import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common'
import type { ModulesContainer } from '@nestjs/core'
import { Backoff } from '../../kernel/backoff.js'
import { type Clock, systemClock } from '../../kernel/clock.js'
import { waitAtMost } from '../../kernel/deadline.js'
import { ConfigurationError, InvalidKeyError, messageOf } from '../../kernel/errors.js'
import { type RandomSource, systemRandom } from '../../kernel/random.js'
import { importThat, placeOf } from '../../nest/decorated-method.js'
import { prototypeOf, wrappersOf } from '../../nest/instances.js'
import { PubSubUnavailableError } from '../errors.js'
import type { SubscribeOptions, Subscription } from '../public-types.js'
import type { RedisPubSubService } from '../pubsub.js'
import { type MessageRoute, messageRoutesOf } from './on-message.decorator.js'

/** A method of an instance that messages are for. */
export interface MessageTarget extends MessageRoute {
  readonly instance: object
  /** Such as `@OnMessage Orders.changed`. */
  readonly where: string
}

/** What {@link MessageHandlers} take from their surroundings. */
export interface MessageHandlersSurroundings {
  /** The `name` of the `forRoot` whose messages these are. */
  readonly connection: string
  readonly modules: ModulesContainer
  /** Whether there is a `forRoot` of this name. */
  readonly isConnection: (name: string) => boolean
  /** How long the boot waits for the first attempts, ms; asked for then. @default 1_000 */
  readonly patienceMs: () => number | undefined
  /** How long handlers that run get at shutdown, ms. @default 1_000 */
  readonly lastWorkMs?: number | undefined
  /** Told, once, that handlers hear nothing yet. */
  readonly warn: (message: string) => void
  /** The boot fails: nothing of it may keep the process alive. */
  readonly failed: () => Promise<void>
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
}

/**
 * The methods of an application that `@OnMessage` stands on, of one connection: subscribed from Nest's `onApplicationBootstrap`, when every class has
 * made what it needs, to `onModuleDestroy`: of those the toolkit's comes last, and before any `onApplicationShutdown`.
 */
export class MessageHandlers implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly subscriptions = new Set<Subscription>()
  private readonly pauses = new Set<{ end(): void }>()
  private readonly clock: Clock
  private readonly random: RandomSource
  private warned = false
  private stopped = false

  constructor(
    private readonly messages: RedisPubSubService,
    private readonly surroundings: MessageHandlersSurroundings,
  ) {
    this.clock = surroundings.clock ?? systemClock
    this.random = surroundings.random ?? systemRandom
  }

  /**
   * Subscribes all. Those for whom the store is away are tried again behind the caller's back.
   * @throws ConfigurationError a class, a channel or options that can't be used
   */
  async onApplicationBootstrap(): Promise<void> {
    const { connection, modules, isConnection, patienceMs, failed } = this.surroundings
    try {
      const targets = messageTargetsIn(modules, isConnection).filter((target) => target.connection === connection)
      // What a test has put in the place of the messages may not listen.
      if (typeof (this.messages as Partial<RedisPubSubService>).subscribe !== 'function') return
      const first = targets.map(async (target) => {
        if (!(await this.attempt(target))) void this.tryAgain(target)
      })
      await waitAtMost(Promise.all(first), patienceMs() ?? PATIENCE_MS, this.clock)
    } catch (error) {
      await this.onModuleDestroy()
      await failed()
      throw error
    }
  }

  /** No handler is called any more. Calls under way get their time. */
  async onModuleDestroy(): Promise<void> {
    this.stopped = true
    for (const each of this.pauses) each.end()
    const ending = [...this.subscriptions].map((subscription) => subscription.unsubscribe())
    await waitAtMost(Promise.all(ending), this.surroundings.lastWorkMs ?? LAST_WORK_MS, this.clock)
  }

  /** False: the store is away. @throws ConfigurationError */
  private async attempt({ instance, name, channelOrPattern, options, where }: MessageTarget): Promise<boolean> {
    const { onMissed } = options
    // Asked for at each call: what is put in the method's place later counts.
    const handler = (...args: unknown[]): void | Promise<void> =>
      (instance as Record<string | symbol, (...given: unknown[]) => void | Promise<void>>)[name]!(...args)
    const given: SubscribeOptions = { ...options, onMissed: onMissed && ((reason) => onMissed.call(instance, reason)) }
    try {
      const subscription = await this.messages.subscribe(channelOrPattern, handler, given)
      if (this.stopped) await subscription.unsubscribe()
      else this.subscriptions.add(subscription)
      return true
    } catch (error) {
      if (error instanceof ConfigurationError || error instanceof InvalidKeyError) {
        throw new ConfigurationError(where, messageOf(error))
      }
      if (!(error instanceof PubSubUnavailableError)) throw error
      if (!this.warned && !this.stopped)
        this.surroundings.warn(`${where} hears nothing yet, and is tried again: ${error.message}`)
      this.warned = true
      return false
    }
  }

  private async tryAgain(target: MessageTarget): Promise<void> {
    const pauses = new Backoff(PAUSES, this.random)
    try {
      do await this.pause(pauses.next())
      while (!this.stopped && !(await this.attempt(target)))
    } catch (error) {
      this.surroundings.warn(`${target.where} hears nothing: ${messageOf(error)}`)
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const pause = {
        end: () => {
          timer.cancel()
          this.pauses.delete(pause)
          resolve()
        },
      }
      const timer = this.clock.timer(ms, pause.end)
      this.pauses.add(pause)
    })
  }
}

const PAUSES = { baseMs: 200, capMs: 5_000 }
/** In memory nobody is waited for. */
const PATIENCE_MS = 1_000
const LAST_WORK_MS = 1_000

/**
 * The methods of an application that `@OnMessage` stands on. Nest must have made all.
 * @param isConnection whether there is a `forRoot` of this name
 * @throws ConfigurationError a class that has no one instance, or names a connection that there is not
 */
export function messageTargetsIn(
  modules: ModulesContainer,
  isConnection: (name: string) => boolean,
): readonly MessageTarget[] {
  const targets: MessageTarget[] = []
  const seen = new Set<unknown>()
  for (const wrapper of wrappersOf(modules)) {
    const prototype = prototypeOf(wrapper)
    const routes = prototype === undefined ? [] : messageRoutesOf(prototype)
    if (prototype === undefined || routes.length === 0) continue
    const { instance } = wrapper as { instance: unknown }
    const isOne = wrapper.isDependencyTreeStatic() && !wrapper.isTransient
    for (const route of routes) {
      const where = placeOf('@OnMessage', prototype, route.name)
      if (!isOne) throw new ConfigurationError(where, NO_ONE_INSTANCE)
      if (!isConnection(route.connection)) {
        throw new ConfigurationError(
          `${where}.connection`,
          `there is none of this name; ${importThat(route.connection)}`,
        )
      }
      // One instance may stand under several tokens.
      if (seen.has(instance)) continue
      targets.push({ ...route, instance: instance as object, where })
    }
    seen.add(instance)
  }
  return targets
}

const NO_ONE_INSTANCE =
  'stands on a class of request or transient scope, or that injects one of request scope: no request comes with a message. Handle it in a class of ' +
  'default scope, and get what it needs by `ModuleRef.resolve`'
