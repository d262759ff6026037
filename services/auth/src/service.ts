import type { ConfiguredService, ServiceDefinition } from '@vextrus/service-kit'
import { AuthModule } from './auth.module.js'
import type { AuthConfig } from './config.js'
import { databaseWith } from './database/database.js'
import { DEMO_ACCOUNTS } from './seed/demo-accounts.js'
import { SESSION } from './sign-in/sign-ins.js'

/** The auth service: what is its own. */
export const auth: ConfiguredService<AuthConfig> = {
  name: 'auth',
  definitionOf: (config): ServiceDefinition => ({
    name: 'auth',
    title: 'Vextrus auth',
    description: 'Log-in, tokens and devices of the ERP’s people.',
    tenancy: { required: true },
    cache: {
      session: { idle: SESSION.idleS, absolute: SESSION.absoluteS },
      // Refresh tokens live longest, as long as their session. Nothing is remembered here: of two replicas one must see at once what the other has
      // revoked, or the token of a new log-in may be dated before it.
      jwt: { maxAge: SESSION.absoluteS, near: false },
    },
    ownKeys: [],
    database: databaseWith(config.isDevelopment ? DEMO_ACCOUNTS : []),
    features: [AuthModule.with(config)],
  }),
}
