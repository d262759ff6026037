import { type SeedData, tenantSeed } from '@vextrus/service-kit'
import {
  brands,
  categories,
  qualities,
  reducedCategories,
  surnames,
  tenants,
  trades,
  type TenantSeed,
} from './catalogue.js'
import { isoCountries, isoCurrencies } from './iso.js'
import { Prng } from './prng.js'
import { taxCode, taxCodes } from './tax-codes.js'

/** The moment that every seeded row was last changed at. */
const SEEDED_AT = '2026-01-01T00:00:00Z'
const SEED = 20_260_101

/** Everything that a new database is filled with. Pure: the same rows on every machine and at every time. */
export function seedData(): SeedData {
  const random = new Prng(SEED)
  const rows = {
    categories: [] as Record<string, unknown>[],
    suppliers: [] as Record<string, unknown>[],
    products: [] as Record<string, unknown>[],
    customers: [] as Record<string, unknown>[],
  }
  const countryCodes = [...new Set(tenants.map((tenant) => tenant.country_code))]

  for (const tenant of tenants) {
    const categoryIds = tenant.categories.map((code) => {
      const id = rows.categories.length + 1
      rows.categories.push({ id, tenant_id: tenant.id, code, name: categoryOf(code).name })
      return id
    })
    const firstSupplier = rows.suppliers.length + 1
    for (let i = 0; i < tenant.suppliers; i++) {
      rows.suppliers.push(supplier(rows.suppliers.length + 1, tenant, random, countryCodes))
    }
    for (let i = 0; i < tenant.products; i++) {
      const kind = i % tenant.categories.length
      rows.products.push({
        ...product(rows.products.length + 1, i, tenant, tenant.categories[kind] ?? '', random),
        category_id: categoryIds[kind],
        supplier_id: random.int(firstSupplier, firstSupplier + tenant.suppliers - 1),
      })
    }
    for (let i = 0; i < tenant.customers; i++) {
      rows.customers.push(customer(rows.customers.length + 1, i, tenant, random, countryCodes))
    }
  }

  return [
    ['currencies', isoCurrencies()],
    ['countries', isoCountries()],
    ['tax_codes', taxCodes()],
    ['tenants', tenantSeed],
    ['categories', rows.categories],
    ['suppliers', rows.suppliers],
    ['products', rows.products],
    ['customers', rows.customers],
  ]
}

function categoryOf(code: string) {
  const category = categories[code]
  if (category === undefined) throw new RangeError(`No category ${code} in seed/catalogue.ts`)
  return category
}

function supplier(
  id: number,
  tenant: TenantSeed,
  random: Prng,
  countryCodes: readonly string[],
): Record<string, unknown> {
  const name = `${random.pick(surnames)} ${random.pick(trades)}`
  return {
    id,
    tenant_id: tenant.id,
    name,
    email: `orders@${slug(name)}-${id}.example`,
    country_code: random.float() < 0.7 ? tenant.country_code : random.pick(countryCodes),
    lead_time_days: random.int(1, 45),
  }
}

function product(id: number, index: number, tenant: TenantSeed, code: string, random: Prng): Record<string, unknown> {
  const category = categoryOf(code)
  const [from, to] = category.price
  // Cheap things are common: the cube bends an even spread towards the lower end. Written out, because `**` may round differently elsewhere.
  const even = random.float()
  const dollars = from + (to - from) * even * even * even
  return {
    id,
    tenant_id: tenant.id,
    sku: `${code}-${String(index + 1).padStart(5, '0')}`,
    barcode: ean13(id),
    name: `${random.pick(brands)} ${random.pick(qualities)} ${random.pick(category.things)} ${random.pick(category.sizes)}`,
    unit: category.unit,
    unit_price: (dollars * tenant.perDollar).toFixed(tenant.decimals),
    currency_code: tenant.currency_code,
    tax_code: taxCode(tenant.country_code, reducedCategories.has(code) ? 1 : 0),
    stock: random.float() < 0.05 ? 0 : random.int(1, 900),
    is_active: random.float() < 0.97,
    version: 1,
    updated_at: SEEDED_AT,
  }
}

function customer(
  id: number,
  index: number,
  tenant: TenantSeed,
  random: Prng,
  countryCodes: readonly string[],
): Record<string, unknown> {
  const name = `${random.pick(surnames)} ${random.pick(trades)}`
  const country = random.float() < 0.85 ? tenant.country_code : random.pick(countryCodes)
  return {
    id,
    tenant_id: tenant.id,
    code: `C${String(index + 1).padStart(5, '0')}`,
    name,
    // The `.example` domain belongs to nobody: no seeded address can be written to.
    email: `accounts@${slug(name)}-${id}.example`,
    country_code: country,
    currency_code: tenant.currency_code,
    tax_number: random.float() < 0.9 ? `${country}${String(random.int(1, 999_999_999)).padStart(9, '0')}` : null,
    credit_limit: (random.int(1, 100) * 500 * tenant.perDollar).toFixed(tenant.decimals),
    is_active: random.float() < 0.95,
    version: 1,
    updated_at: SEEDED_AT,
  }
}

/** An EAN-13 from the range that GS1 leaves to a company's own use (20…29), with its check digit. */
export function ean13(id: number): string {
  const digits = `20${String(id).padStart(10, '0')}`
  const sum = [...digits].reduce((total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3), 0)
  return `${digits}${(10 - (sum % 10)) % 10}`
}

function slug(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
}
