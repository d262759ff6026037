import { type SeedData, type TenantRow, tenantSeed } from '@vextrus/service-kit'
import type { TaskStatus } from '../tasks/task-status.js'

/** The moment that everything seeded happened at. */
const SEEDED_AT = '2026-01-01T00:00:00Z'

const TASKS = 12
const statuses: readonly TaskStatus[] = ['SUBMITTED', 'APPROVED', 'DRAFT', 'REJECTED']
const titles = ['Credit note', 'Price change', 'New supplier', 'Write-off', 'Discount above the limit']

/** Everything that a new database is filled with: the same rows on every machine and at every time. */
export function seedData(): SeedData {
  const tasks = tenantSeed.flatMap((tenant, index) => tasksOf(tenant, index))
  return [
    ['tenants', tenantSeed],
    ['tasks', tasks],
    ['task_changes', tasks.flatMap(changesOf)],
  ]
}

function tasksOf({ id: tenant_id }: TenantRow, index: number) {
  return Array.from({ length: TASKS }, (_, at) => {
    const status = statuses[at % statuses.length] ?? 'DRAFT'
    const path = pathTo(status)
    return {
      id: index * TASKS + at + 1,
      tenant_id,
      title: `${titles[at % titles.length]} ${at + 1}`,
      status,
      requester: 'seed-clerk',
      approver: at % 3 === 0 ? 'seed-approver' : null,
      invoice_id: null,
      decided_by: path.length === 3 ? 'seed-approver' : null,
      version: path.length,
      fence: 0,
      created_at: SEEDED_AT,
      updated_at: SEEDED_AT,
    }
  })
}

function pathTo(status: TaskStatus): readonly TaskStatus[] {
  if (status === 'DRAFT') return ['DRAFT']
  return status === 'SUBMITTED' ? ['DRAFT', 'SUBMITTED'] : ['DRAFT', 'SUBMITTED', status]
}

function changesOf({ tenant_id, id, status, requester, decided_by }: ReturnType<typeof tasksOf>[number]) {
  return pathTo(status).map((new_status, at, path) => ({
    tenant_id,
    task_id: id,
    version: at + 1,
    old_status: path[at - 1] ?? null,
    new_status,
    actor: at === 2 ? decided_by : requester,
    comment: null,
    created_at: SEEDED_AT,
  }))
}
