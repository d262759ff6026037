import { Column, CreateDateColumn, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm'
import { exactNumber } from '../http/money.js'

/** Where money is, or came from. The balances of a tenant's accounts add up to zero. */
@Entity('accounts')
export class Account {
  @PrimaryColumn('text', { name: 'tenant_id' })
  tenantId!: string

  @PrimaryColumn('text')
  code!: string

  @Column('text')
  name!: string

  /** False for what can't be overdrawn, such as cash; true for where money comes from, such as revenue. */
  @Column('boolean', { name: 'may_be_negative' })
  mayBeNegative!: boolean

  /** The sum of its postings, in minor units. Written by `account-ledger.ts` alone. */
  @Column('bigint', { transformer: exactNumber })
  balance!: number

  /** Of the lock that it was last written under. */
  @Column('bigint')
  fence!: string
}

/** Money that went from one account to another: two postings. */
@Entity('transfers')
export class Transfer {
  @PrimaryColumn('text', { name: 'tenant_id' })
  tenantId!: string

  /** Named by whoever asked for it: what is asked for twice under one reference happens once. */
  @PrimaryColumn('text')
  reference!: string

  @Column('text', { name: 'from_code' })
  from!: string

  @Column('text', { name: 'to_code' })
  to!: string

  /** Minor units, above zero. */
  @Column('bigint', { transformer: exactNumber })
  amount!: number

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date
}

/** One half of a transfer. */
@Entity('postings')
export class Posting {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'BY DEFAULT' })
  id!: string

  @Column('text', { name: 'tenant_id' })
  tenantId!: string

  /** Of its transfer. */
  @Column('text')
  reference!: string

  @Column('text', { name: 'account_code' })
  accountCode!: string

  /** Below zero: it went from the account. */
  @Column('bigint', { transformer: exactNumber })
  amount!: number
}
