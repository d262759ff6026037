// The types of sessions, revoked tokens and messages in a module: options, injection, and where @OnMessage may stand.
import { Injectable } from '@nestjs/common'
import { getVextrusToken, InjectVextrus, RedisCacheModule, type RedisCacheModuleOptions } from '@vextrus/shared'
import { JwtBlacklistService, type JwtOptions, RefreshTokenFamilies } from '@vextrus/shared/jwt'
import { type MessageMeta, OnMessage, type PubSubOptions, RedisPubSubService } from '@vextrus/shared/pubsub'
import { type SessionModuleOptions, SessionService } from '@vextrus/shared/session'
import { RedisCacheTestingModule } from '@vextrus/shared/testing'

const session: SessionModuleOptions = { idle: '30m', absolute: 43_200, rotationGrace: '5s', from: 'bearer' }
const jwt: JwtOptions = { onUnavailable: 'deny', skew: '1m', near: false, isPublic: 'isPublic' }
const pubsub: PubSubOptions = { keep: '24h', maxLength: 1_000, sharded: true }
RedisCacheModule.forRoot({ session, jwt, pubsub, use: { session: 'kept', jwt: 'kept', pubsub: 'bus' } })
RedisCacheModule.forRoot({ session: undefined, jwt: undefined, pubsub: undefined, use: { jwt: undefined } })
RedisCacheTestingModule.forRoot({ session, jwt, pubsub })
// @ts-expect-error there is no such option
RedisCacheModule.forRoot({ session: { ttl: '30m' } })
// @ts-expect-error there is no such policy
RedisCacheModule.forRoot({ jwt: { onUnavailable: 'fail' } })
// @ts-expect-error there is no such option
RedisCacheModule.forRoot({ pubsub: { durable: true } })
export const passedOn = (given: RedisCacheModuleOptions): JwtOptions | undefined => given.jwt
export const named = getVextrusToken(RedisPubSubService, 'bus')

interface Cart {
  readonly items: readonly string[]
}
interface OrderEvent {
  readonly id: string
}

@Injectable()
export class Orders {
  constructor(
    readonly carts: SessionService<Cart>,
    readonly blacklist: JwtBlacklistService,
    readonly families: RefreshTokenFamilies,
    @InjectVextrus(RedisPubSubService, 'bus') readonly messages: RedisPubSubService,
  ) {}

  @OnMessage('orders:*')
  async changed(event: OrderEvent, { channel, id }: MessageMeta): Promise<void> {
    await this.messages.publish(`${channel}:seen`, { of: event.id, id }, { durable: true, messageId: event.id })
  }

  @OnMessage('invoices', { group: 'mailer', concurrency: 4, from: 'start', connection: 'bus' })
  send(event: OrderEvent): void {
    void event
  }

  @OnMessage('anything')
  bare(): void {}

  // @ts-expect-error it is told a message and what is beside it, no more
  @OnMessage('orders')
  third(_event: OrderEvent, _meta: MessageMeta, more: string): string {
    return more
  }

  // @ts-expect-error there is no such option
  @OnMessage('orders', { durable: true })
  durable(): void {}
}
