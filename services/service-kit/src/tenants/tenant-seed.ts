/** The companies that a new database of any service is filled with, as rows of `tenants`. */
export const tenantSeed: readonly TenantRow[] = [
  row('aurora-hardware', 'Aurora Hardware Inc.', 'US', 'USD'),
  row('brightwell-foods', 'Brightwell Foods Ltd', 'GB', 'GBP'),
  row('dhaka-builders', 'Dhaka Builders Supply Ltd', 'BD', 'BDT'),
  row('elbe-elektronik', 'Elbe Elektronik GmbH', 'DE', 'EUR'),
  row('ganges-textiles', 'Ganges Textiles Pvt Ltd', 'IN', 'INR'),
  row('lumiere-bureau', 'Lumière Bureau SARL', 'FR', 'EUR'),
  row('merlion-medical', 'Merlion Medical Pte Ltd', 'SG', 'SGD'),
  row('sakura-keisoku', 'Sakura Keisoku KK', 'JP', 'JPY'),
]

export type TenantRow = {
  readonly id: string
  readonly name: string
  readonly country_code: string
  readonly currency_code: string
}

function row(id: string, name: string, country: string, currency: string): TenantRow {
  return { id, name, country_code: country, currency_code: currency }
}
