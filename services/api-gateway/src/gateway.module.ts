import {
  type DynamicModule,
  Inject,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  type OnModuleInit,
} from '@nestjs/common'
import { APP_GUARD, HttpAdapterHost } from '@nestjs/core'
import { JwtBlacklistService } from '@vextrus/shared/jwt'
import { RateLimitGuard } from '@vextrus/shared/rate-limit'
import { AuthenticationMiddleware } from './auth/authentication.middleware.js'
import { AskedRevocations, Revocations, SharedRevocations } from './auth/revocations.js'
import { Tokens } from './auth/tokens.js'
import { GATEWAY_CONFIG, type GatewayConfig } from './config.js'
import { RequestContextMiddleware } from './http/request-context.middleware.js'
import { TenantPlans } from './limits/tenant-plans.js'
import { ProxyController } from './proxy/proxy.controller.js'
import { Services } from './proxy/services.js'
import { CatalogueController, LookupsController } from './routes/master-data.controller.js'
import { MeController } from './routes/me.controller.js'
import { ServiceReads } from './routes/service-reads.js'
import { ServiceWrites } from './routes/service-writes.js'

/** What the gateway consists of, in the order in which a request meets it: who asks, how often, and then a route. */
@Module({})
export class GatewayModule implements NestModule, OnModuleInit {
  constructor(
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  static with(config: GatewayConfig, plans: TenantPlans): DynamicModule {
    return {
      module: GatewayModule,
      // The last one takes whatever the others leave.
      controllers: [LookupsController, CatalogueController, MeController, ProxyController],
      providers: [
        { provide: GATEWAY_CONFIG, useValue: config },
        { provide: Tokens, useValue: new Tokens(config.tokens) },
        {
          provide: Revocations,
          inject: [JwtBlacklistService, Services],
          useFactory: (blacklist: JwtBlacklistService, services: Services): Revocations =>
            config.revocations.where === 'redis'
              ? new SharedRevocations(blacklist)
              : new AskedRevocations(services.get('auth'), config.revocations.whenUnknown),
        },
        { provide: TenantPlans, useValue: plans },
        // Before the guards of routes: tokens that are not believed are counted too, by their senders' addresses.
        { provide: APP_GUARD, useClass: RateLimitGuard },
        Services,
        ServiceReads,
        ServiceWrites,
      ],
    }
  }

  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(RequestContextMiddleware, AuthenticationMiddleware).forRoutes('{*path}')
  }

  onModuleInit(): void {
    // Express' own switch: from here on `request.ip` and `request.protocol` are what so many proxies say, counted from the gateway outwards.
    const express = this.adapterHost.httpAdapter.getInstance<{ set(name: string, value: unknown): void }>()
    express.set('trust proxy', this.config.trustedProxies)
  }
}
