import { type DatabaseDefinition, Tenant } from '@vextrus/service-kit'
import { type Account, seedData } from '../seed/seed-data.js'
import { User, UserRole } from '../users/user.entities.js'
import { CreateAuth1764300000000 } from './migrations/1764300000000-create-auth.js'

/** The tables of this service. @param accounts that a new database is filled with */
export const databaseWith = (accounts: readonly Account[]): DatabaseDefinition => ({
  schema: 'auth',
  entities: [Tenant, User, UserRole],
  migrations: [CreateAuth1764300000000],
  seed: () => seedData(accounts),
})
