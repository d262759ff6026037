import { checksum } from '@vextrus/service-kit'
import { describe, expect, it } from 'vitest'
import { ean13, seedData } from './seed-data.js'

type Row = Record<string, unknown>
const data = seedData()
const rows = (table: string): readonly Row[] => data.find(([name]) => name === table)?.[1] ?? []
const column = (table: string, name: string): Set<unknown> => new Set(rows(table).map((row) => row[name]))

describe('the seed', () => {
  it('is the same everywhere and every time', () => {
    expect(checksum(data)).toBe(checksum(seedData()))
    // Countries and currencies are left out: they follow the releases of countries-list.
    expect(checksum(data.filter(([table]) => table !== 'countries' && table !== 'currencies'))).toBe(
      '0bc34aff7d668382910b62edbc99cb5ea1b676661b9f666ad3911b4b9f0aa010',
    )
  })

  it('holds 10,000 products and 2,000 customers of eight tenants', () => {
    expect(rows('products')).toHaveLength(10_000)
    expect(rows('customers')).toHaveLength(2_000)
    expect(rows('suppliers')).toHaveLength(200)
    expect(rows('tenants')).toHaveLength(8)
    for (const { id } of rows('tenants')) {
      expect(rows('products').filter((row) => row['tenant_id'] === id).length).toBeGreaterThanOrEqual(500)
      expect(rows('customers').filter((row) => row['tenant_id'] === id).length).toBeGreaterThanOrEqual(100)
    }
  })

  it('begins with this product', () => {
    expect(rows('products')[0]).toEqual({
      id: 1,
      tenant_id: 'aurora-hardware',
      sku: 'TOOL-00001',
      barcode: '2000000000015',
      name: 'Kestrel Ultra Claw hammer 150 mm',
      category_id: 1,
      supplier_id: 30,
      unit: 'pcs',
      unit_price: '430.06',
      currency_code: 'USD',
      tax_code: 'US-SALES-0',
      stock: 679,
      is_active: true,
      version: 1,
      updated_at: '2026-01-01T00:00:00Z',
    })
  })

  it('has the 249 countries of ISO 3166-1, with codes and currencies that exist', () => {
    const countries = rows('countries')
    expect(countries.filter((row) => row['is_official'])).toHaveLength(249)
    expect(countries.find((row) => row['code'] === 'DE')).toMatchObject({
      code3: 'DEU',
      name: 'Germany',
      capital: 'Berlin',
      currency_codes: ['EUR'],
      calling_codes: ['+49'],
      is_active: true,
    })
    expect(countries.find((row) => row['code'] === 'AQ')).toMatchObject({ capital: null, is_active: false })
    const currencies = column('currencies', 'code')
    for (const country of countries) {
      expect(country['code']).toMatch(/^[A-Z]{2}$/)
      expect(country['code3']).toMatch(/^[A-Z]{3}$/)
      for (const code of country['currency_codes'] as string[]) expect(currencies).toContain(code)
    }
  })

  it('has the currencies of ISO 4217 with their decimals', () => {
    const decimals = Object.fromEntries(rows('currencies').map((row) => [row['code'], row['decimals']]))
    expect(decimals).toMatchObject({ EUR: 2, JPY: 0, KWD: 3, BDT: 2 })
  })

  it('has one standard rate for every country with tax codes', () => {
    const codes = rows('tax_codes')
    for (const country of column('tax_codes', 'country_code')) {
      expect(codes.filter((row) => row['country_code'] === country && row['is_default'])).toHaveLength(1)
    }
    expect(codes.find((row) => row['code'] === 'DE-VAT-19')).toMatchObject({ rate: '19.00', is_default: true })
    expect(column('tax_codes', 'code').size).toBe(codes.length)
  })

  it('refers to nothing that it lacks, and never to another tenant', () => {
    const owner = (table: string) => new Map(rows(table).map((row) => [row['id'], row['tenant_id']]))
    const [categories, suppliers] = [owner('categories'), owner('suppliers')]
    const taxCodes = column('tax_codes', 'code')
    for (const product of rows('products')) {
      expect(categories.get(product['category_id'])).toBe(product['tenant_id'])
      expect(suppliers.get(product['supplier_id'])).toBe(product['tenant_id'])
      expect(taxCodes).toContain(product['tax_code'])
    }
  })

  it('gives every product a barcode of its own with a right check digit', () => {
    expect(ean13(1)).toBe('2000000000015')
    expect(column('products', 'barcode').size).toBe(10_000)
    for (const barcode of column('products', 'barcode')) {
      const sum = [...String(barcode)].reduce((total, digit, i) => total + Number(digit) * (i % 2 === 0 ? 1 : 3), 0)
      expect(sum % 10).toBe(0)
    }
  })

  it('writes to nobody: every address is in the reserved .example domain', () => {
    for (const table of ['customers', 'suppliers']) {
      for (const email of column(table, 'email')) expect(email).toMatch(/^[a-z]+@[a-z0-9-]+\.example$/)
    }
  })
})
