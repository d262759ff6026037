import type { Condition } from '../conditions/condition.js'
import type { Variant } from '../flags/flag.entity.js'

/** What every tenant begins with: rules of three subjects, some configuration, some flags. Amounts are in the tenant's currency. */

export interface RuleSeed {
  readonly subject: string
  readonly name: string
  readonly priority: number
  readonly condition: Condition
  readonly outcome: Readonly<Record<string, unknown>>
}

export const rules: readonly RuleSeed[] = [
  {
    subject: 'invoice.approval',
    name: 'Large invoices need the CFO',
    priority: 100,
    condition: { fact: 'invoice.total', op: 'gte', value: 50_000 },
    outcome: { approver: 'cfo', reason: 'total' },
  },
  {
    subject: 'invoice.approval',
    name: 'Medium invoices need the head of the department',
    priority: 50,
    condition: { fact: 'invoice.total', op: 'between', from: 5_000, to: 49_999.99 },
    outcome: { approver: 'department-head' },
  },
  {
    subject: 'invoice.approval',
    name: 'Beyond the credit limit',
    priority: 40,
    condition: {
      all: [
        { fact: 'customer.creditLimit', op: 'exists' },
        { fact: 'invoice.total', op: 'gt', value: { fact: 'customer.creditLimit' } },
      ],
    },
    outcome: { approver: 'credit-control' },
  },
  {
    subject: 'invoice.approval',
    name: 'Small invoices of known customers pass',
    priority: 10,
    condition: {
      all: [
        { fact: 'invoice.total', op: 'lt', value: 5_000 },
        { not: { fact: 'customer.isNew', op: 'eq', value: true } },
      ],
    },
    outcome: { approved: true },
  },
  {
    subject: 'order.discount',
    name: 'Volume',
    priority: 20,
    condition: { fact: 'order.quantity', op: 'gte', value: 100 },
    outcome: { percent: 7.5 },
  },
  {
    subject: 'order.discount',
    name: 'Trade customers of the season',
    priority: 10,
    condition: {
      all: [
        { fact: 'customer.kind', op: 'in', values: ['trade', 'wholesale'] },
        {
          any: [
            { fact: 'order.month', op: 'between', from: 11, to: 12 },
            { fact: 'order.campaign', op: 'exists' },
          ],
        },
      ],
    },
    outcome: { percent: 5 },
  },
  {
    subject: 'customer.credit',
    name: 'Overdue customers pay in advance',
    priority: 100,
    condition: { fact: 'customer.daysOverdue', op: 'gt', value: 30 },
    outcome: { terms: 'advance' },
  },
  {
    subject: 'customer.credit',
    name: 'Others pay within the usual days',
    priority: 0,
    condition: { all: [] },
    outcome: { terms: 'net-30' },
  },
]

export const settings: Readonly<Record<string, unknown>> = {
  'invoice.number-format': 'INV-{year}-{number}',
  'invoice.payment-days': 30,
  'stock.reorder': { threshold: 10, quantity: 100 },
  'workdays.week': ['mon', 'tue', 'wed', 'thu', 'fri'],
}

export interface FlagSeed {
  readonly key: string
  readonly enabled: boolean
  readonly rollout: number
  readonly variants: readonly Variant[]
  readonly allowList: readonly string[]
}

export const flags: readonly FlagSeed[] = [
  { key: 'bulk-import', enabled: true, rollout: 100, variants: [], allowList: [] },
  {
    key: 'new-checkout',
    enabled: true,
    rollout: 25,
    variants: [
      { name: 'control', weight: 1 },
      { name: 'blue', weight: 1 },
    ],
    allowList: ['user-1'],
  },
  { key: 'dark-mode', enabled: false, rollout: 50, variants: [], allowList: [] },
]
