import { type SeedData, tenantSeed } from '@vextrus/service-kit'

/** Somebody whom a new database knows. */
export interface Account {
  /** The `sub` of tokens. */
  readonly id: string
  readonly tenantId: string
  readonly name: string
  readonly displayName: string
  readonly passwordHash: string
  readonly roles: readonly Role[]
}

/** What every tenant knows: who writes, who approves what others have written, who runs the tenant's accounts. */
const ROLES = ['admin', 'approver', 'clerk'] as const
export type Role = (typeof ROLES)[number]

/** What a new database is filled with: all tenants with their roles, and these accounts. */
export function seedData(accounts: readonly Account[]): SeedData {
  return [
    ['tenants', tenantSeed],
    ['roles', tenantSeed.flatMap(({ id }) => ROLES.map((name) => ({ tenant_id: id, name })))],
    [
      'users',
      accounts.map(({ id, tenantId, name, displayName, passwordHash }) => ({
        ...{ id, tenant_id: tenantId, name, display_name: displayName },
        ...{ password_hash: passwordHash, is_enabled: true },
      })),
    ],
    [
      'user_roles',
      accounts.flatMap(({ id, tenantId, roles }) => roles.map((role) => ({ tenant_id: tenantId, user_id: id, role }))),
    ],
  ]
}
