import { Column, Entity, PrimaryColumn } from 'typeorm'

/** Reference data: the same for every tenant, and hardly ever changed. */

@Entity('countries')
export class Country {
  /** ISO 3166-1 alpha-2. */
  @PrimaryColumn('text')
  code!: string

  /** ISO 3166-1 alpha-3. */
  @Column('text')
  code3!: string

  @Column('text')
  name!: string

  @Column('text', { name: 'native_name' })
  nativeName!: string

  @Column('text', { nullable: true })
  capital!: string | null

  @Column('text')
  continent!: string

  /** ISO 4217 codes of what is paid with there. */
  @Column('text', { name: 'currency_codes', array: true })
  currencyCodes!: string[]

  @Column('text', { name: 'calling_codes', array: true })
  callingCodes!: string[]

  /** One of the 249 codes of ISO 3166-1; the others are reserved, or assigned by users. */
  @Column('boolean', { name: 'is_official' })
  isOfficial!: boolean

  /** Whether goods can be sold or shipped there. */
  @Column('boolean', { name: 'is_active' })
  isActive!: boolean
}

@Entity('currencies')
export class Currency {
  /** ISO 4217. */
  @PrimaryColumn('text')
  code!: string

  @Column('text', { name: 'numeric_code' })
  numericCode!: string

  @Column('text')
  name!: string

  @Column('text')
  symbol!: string

  /** Digits after the decimal point: 2 for EUR, 0 for JPY, 3 for KWD. */
  @Column('smallint')
  decimals!: number

  /** False for codes that ISO has withdrawn. */
  @Column('boolean', { name: 'is_active' })
  isActive!: boolean
}

@Entity('tax_codes')
export class TaxCode {
  @PrimaryColumn('text')
  code!: string

  @Column('text', { name: 'country_code' })
  countryCode!: string

  @Column('text')
  kind!: 'VAT' | 'GST' | 'SALES'

  @Column('text')
  name!: string

  /** Percent, as a decimal string. */
  @Column('numeric', { precision: 5, scale: 2 })
  rate!: string

  @Column('boolean', { name: 'is_default' })
  isDefault!: boolean
}
