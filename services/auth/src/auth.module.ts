import { type DynamicModule, Inject, Module, type OnModuleInit } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import { TypeOrmModule } from '@nestjs/typeorm'
import { AUTH_CONFIG, type AuthConfig } from './config.js'
import { AccountController } from './sign-in/account.controller.js'
import { Attempts } from './sign-in/attempts.js'
import { SignInController } from './sign-in/sign-in.controller.js'
import { SignIns } from './sign-in/sign-ins.js'
import { KeysController } from './tokens/keys.controller.js'
import { SigningKeys } from './tokens/signing-keys.js'
import { Tokens } from './tokens/tokens.js'
import { Passwords } from './users/passwords.js'
import { User, UserRole } from './users/user.entities.js'
import { Users } from './users/users.js'

/** What the service consists of. */
@Module({})
export class AuthModule implements OnModuleInit {
  constructor(
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  static with(config: AuthConfig): DynamicModule {
    return {
      module: AuthModule,
      imports: [TypeOrmModule.forFeature([User, UserRole])],
      controllers: [SignInController, AccountController, KeysController],
      providers: [
        { provide: AUTH_CONFIG, useValue: config },
        { provide: SigningKeys, useFactory: () => SigningKeys.from(config.keys) },
        { provide: Passwords, useValue: new Passwords(config.passwordCost) },
        ...[Tokens, Users, Attempts, SignIns],
      ],
    }
  }

  onModuleInit(): void {
    // Express' own switch: from here on `request.ip` is what so many proxies say.
    const express = this.adapterHost.httpAdapter.getInstance<{ set(name: string, value: unknown): void }>()
    express.set('trust proxy', this.config.trustedProxies)
  }
}
