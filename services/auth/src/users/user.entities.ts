import { Column, Entity, PrimaryColumn } from 'typeorm'

/** Somebody who may log in: of one tenant. Who works for two has an account in each. */
@Entity('users')
export class User {
  /** The `sub` of tokens: no other user of any tenant has it. */
  @PrimaryColumn('text')
  id!: string

  @Column('text', { name: 'tenant_id' })
  tenantId!: string

  /** Typed at log-in, lower case; other tenants may have the same. */
  @Column('text')
  name!: string

  @Column('text', { name: 'display_name' })
  displayName!: string

  /** As `Passwords` stores it. */
  @Column('text', { name: 'password_hash' })
  passwordHash!: string

  /** False: can't log in, and what is logged in ends with its next refresh. */
  @Column('boolean', { name: 'is_enabled' })
  enabled!: boolean
}

/** That a user has a role of the tenant's. */
@Entity('user_roles')
export class UserRole {
  @PrimaryColumn('text', { name: 'tenant_id' })
  tenantId!: string

  @PrimaryColumn('text', { name: 'user_id' })
  userId!: string

  @PrimaryColumn('text')
  role!: string
}
