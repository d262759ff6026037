import { type DatabaseDefinition, Tenant } from '@vextrus/service-kit'
import { OutboxRow } from '../events/outbox.entity.js'
import { seedData } from '../seed/seed-data.js'
import { Task, TaskChange } from '../tasks/task.entities.js'
import { CreateWorkflow1764400000000 } from './migrations/1764400000000-create-workflow.js'

/** The tables of this service. */
export const database: DatabaseDefinition = {
  schema: 'workflow',
  entities: [Tenant, Task, TaskChange, OutboxRow],
  migrations: [CreateWorkflow1764400000000],
  seed: seedData,
}
