import { Column, Entity, PrimaryColumn } from 'typeorm'

/** A company that uses the ERP. Everything but the reference data belongs to exactly one. */
@Entity('tenants')
export class Tenant {
  @PrimaryColumn('text')
  id!: string

  @Column('text')
  name!: string

  @Column('text', { name: 'country_code' })
  countryCode!: string

  @Column('text', { name: 'currency_code' })
  currencyCode!: string
}
