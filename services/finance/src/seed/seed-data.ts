import { type SeedData, type TenantRow, tenantSeed } from '@vextrus/service-kit'
import { invoiceNumber } from '../invoices/invoice-numbers.js'
import type { InvoiceStatus } from '../invoices/invoice-status.js'

/** The moment that everything seeded happened at. */
const SEEDED_AT = '2026-01-01T00:00:00Z'

const names = ['Hartwell', 'Osei', 'Lindqvist', 'Rahman', 'Moreau', 'Tanaka', 'Novak', 'Silva', 'Haddad', 'Keller']
const trades = ['Builders', 'Logistics', 'Catering', 'Clinics']
const things = ['Claw hammer', 'Cable drum', 'Shelf', 'Desk lamp', 'Gloves', 'Label printer', 'Stool', 'Toolbox']
const statuses: readonly InvoiceStatus[] = ['PAID', 'ISSUED', 'PAID', 'DRAFT', 'ISSUED', 'VOID']

const CUSTOMERS = 20
const INVOICES = 48
const ITEMS = 24

const accounts = [
  { code: 'bank', name: 'Bank', may_be_negative: false },
  { code: 'cash', name: 'Cash', may_be_negative: false },
  { code: 'equity', name: 'Equity', may_be_negative: true },
  { code: 'payables', name: 'Payables', may_be_negative: true },
  { code: 'receivables', name: 'Receivables', may_be_negative: false },
  { code: 'revenue', name: 'Revenue', may_be_negative: true },
]

/** Where the money of the first day came from and went to, in minor units. */
const opening = [
  { reference: 'opening-bank', from_code: 'equity', to_code: 'bank', amount: 5_000_000 },
  { reference: 'opening-cash', from_code: 'bank', to_code: 'cash', amount: 250_000 },
  { reference: 'opening-sales', from_code: 'revenue', to_code: 'receivables', amount: 1_200_000 },
]

/** Everything that a new database is filled with: the same rows on every machine and at every time. */
export function seedData(): SeedData {
  const perTenant = <T>(rows: (tenant: TenantRow, index: number) => readonly T[]): T[] => tenantSeed.flatMap(rows)
  return [
    ['tenants', tenantSeed],
    ['customers', perTenant(({ id }, index) => range(CUSTOMERS).map((at) => customer(id, index, at)))],
    ['invoices', perTenant((tenant, index) => invoices(tenant, index))],
    ['invoice_counter', tenantSeed.map(({ id }) => ({ tenant_id: id, last: numberedOf(INVOICES), fence: 0 }))],
    ['stock_items', perTenant(({ id }) => range(ITEMS).map((at) => stockItem(id, at)))],
    ['stock_movements', perTenant(({ id }) => range(ITEMS).map((at) => firstDelivery(id, at)))],
    [
      'accounts',
      perTenant(({ id }) => accounts.map((account) => ({ tenant_id: id, ...account, ...balanceOf(account) }))),
    ],
    ['transfers', perTenant(({ id }) => opening.map((row) => ({ tenant_id: id, ...row, created_at: SEEDED_AT })))],
    ['postings', perTenant(({ id }) => postings.map((row) => ({ tenant_id: id, ...row }))).map(numbered)],
  ]
}

const range = (length: number): number[] => Array.from({ length }, (_, at) => at)
const numbered = <T>(row: T, at: number) => ({ id: at + 1, ...row })

function customer(tenantId: string, index: number, at: number) {
  const name = `${names[at % names.length]} ${trades[(at + index) % trades.length]}`
  return { id: index * CUSTOMERS + at + 1, tenant_id: tenantId, name, is_deleted: false }
}

function invoices(tenant: TenantRow, index: number) {
  return range(INVOICES).map((at) => {
    const status = statuses[at % statuses.length] ?? 'DRAFT'
    const lines = range(1 + (at % 3)).map((line) => ({
      description: things[(at + line) % things.length] ?? '',
      quantity: 1 + ((at + line) % 9),
      unitPrice: 450 + ((at * 37 + line * 11) % 90) * 100,
    }))
    const isDraft = status === 'DRAFT'
    return {
      id: index * INVOICES + at + 1,
      tenant_id: tenant.id,
      customer_id: index * CUSTOMERS + (at % CUSTOMERS) + 1,
      number: isDraft ? null : invoiceNumber(BigInt(numberedOf(at + 1))),
      status,
      currency_code: tenant.currency_code,
      lines,
      total: lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0),
      issued_at: isDraft ? null : SEEDED_AT,
      version: 1,
      updated_at: SEEDED_AT,
    }
  })
}

/** How many of the first invoices of a tenant have a number. */
const numberedOf = (count: number): number =>
  range(count).filter((at) => statuses[at % statuses.length] !== 'DRAFT').length

const skuOf = (at: number): string => `ITEM-${String(at + 1).padStart(3, '0')}`
const quantityOf = (at: number): number => 10 + ((at * 53) % 190)

function stockItem(tenantId: string, at: number) {
  const name = `${things[at % things.length]} ${'ABC'[Math.floor(at / things.length)]}`
  return { tenant_id: tenantId, sku: skuOf(at), name, quantity: quantityOf(at), fence: 0 }
}

function firstDelivery(tenantId: string, at: number) {
  const [sku, quantity] = [skuOf(at), quantityOf(at)]
  const reference = `opening-${sku}`
  return { tenant_id: tenantId, reference, sku, quantity, remaining: quantity, created_at: SEEDED_AT }
}

const postings = opening.flatMap(({ reference, from_code, to_code, amount }) => [
  { reference, account_code: from_code, amount: -amount },
  { reference, account_code: to_code, amount },
])

function balanceOf({ code }: { readonly code: string }) {
  const own = postings.filter(({ account_code }) => account_code === code)
  return { balance: own.reduce((sum, { amount }) => sum + amount, 0), fence: 0 }
}
