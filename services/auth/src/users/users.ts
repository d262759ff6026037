import { Inject, Injectable } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import { Repository } from 'typeorm'
import { Passwords } from './passwords.js'
import { User, UserRole } from './user.entities.js'

/** A user whose password was right, or whose session goes on. */
export interface KnownUser {
  readonly id: string
  readonly tenantId: string
  readonly name: string
  readonly displayName: string
  /** By name. */
  readonly roles: readonly string[]
}

/** Who may log in. */
@Injectable()
export class Users {
  constructor(
    @InjectRepository(User) private readonly users: Repository<User>,
    @InjectRepository(UserRole) private readonly roles: Repository<UserRole>,
    @Inject(Passwords) private readonly passwords: Passwords,
  ) {}

  /**
   * The user of a tenant with this name and password. Undefined: there is none, or the password is another, or the account is closed; all take as long.
   */
  async withPassword(tenantId: string, name: string, password: string): Promise<KnownUser | undefined> {
    const user = await this.users.findOneBy({ tenantId, name: name.toLowerCase() })
    const isRight = await this.passwords.verify(password, user?.passwordHash)
    if (!isRight || user === null || !user.enabled) return undefined
    if (this.passwords.isOutdated(user.passwordHash)) {
      const passwordHash = await this.passwords.hash(password)
      // Not if the password was changed meanwhile.
      await this.users.update({ id: user.id, passwordHash: user.passwordHash }, { passwordHash })
    }
    return this.known(user)
  }

  /** A user as it is now. Undefined: it is gone, or its account is closed. */
  async get(tenantId: string, id: string): Promise<KnownUser | undefined> {
    const user = await this.users.findOneBy({ tenantId, id, enabled: true })
    return user === null ? undefined : this.known(user)
  }

  private async known({ id, tenantId, name, displayName }: User): Promise<KnownUser> {
    const rows = await this.roles.find({ where: { tenantId, userId: id }, order: { role: 'ASC' } })
    return { id, tenantId, name, displayName, roles: rows.map(({ role }) => role) }
  }
}
