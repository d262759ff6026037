import { type SeedData, tenantSeed } from '@vextrus/service-kit'
import { flags, rules, settings } from './catalogue.js'

/** The moment that every seeded row was last changed at. */
const seeded = { version: 1, updated_at: '2026-01-01T00:00:00Z' }

/** Everything that a new database is filled with: the same for each tenant. */
export function seedData(): SeedData {
  const perTenant = <T>(each: (tenantId: string) => readonly T[]): T[] => tenantSeed.flatMap(({ id }) => each(id))
  return [
    ['tenants', tenantSeed],
    [
      'rules',
      perTenant((tenant_id) => rules.map((rule) => ({ tenant_id, ...rule, is_enabled: true, ...seeded }))).map(
        (rule, at) => ({ id: at + 1, ...rule }),
      ),
    ],
    [
      'settings',
      perTenant((tenant_id) => Object.entries(settings).map(([key, value]) => ({ tenant_id, key, value, ...seeded }))),
    ],
    [
      'flags',
      perTenant((tenant_id) =>
        flags.map(({ key, enabled, rollout, variants, allowList }) => ({
          tenant_id,
          key,
          is_enabled: enabled,
          rollout,
          variants,
          allow_list: allowList,
          ...seeded,
        })),
      ),
    ],
  ]
}
