import type { ServiceDefinition } from '@vextrus/service-kit'
import { database } from './database/database.js'
import { EventsModule } from './events/events.module.js'
import { NotificationsModule } from './notifications/notifications.module.js'
import { TasksModule } from './tasks/tasks.module.js'

/** The workflow service: what is its own. */
export const workflow: ServiceDefinition = {
  name: 'workflow',
  title: 'Vextrus workflow',
  description:
    'Approval tasks of the ERP’s tenants, and notifications. Tenant data needs the headers x-tenant-id and x-user-id, which the gateway sends.',
  tenancy: { required: true },
  cache: {
    // What one replica has answered as done, the next read of every other one shows: a hit of its memory asks Redis first whether anything changed.
    l1: { staleness: 'strict' },
    // A channel for each user: what a browser that was away for a day has missed, and no archive.
    pubsub: { keep: '24h', maxLength: 1_000, maxBytes: 65_536 },
  },
  ownKeys: ['task:*', 'tasks:*'],
  database,
  features: [EventsModule, TasksModule, NotificationsModule],
}
