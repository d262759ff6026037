import { ConflictException, Injectable, NotFoundException } from '@nestjs/common'
import { InjectDataSource, InjectRepository } from '@nestjs/typeorm'
import {
  CacheWrites,
  explained,
  lockedRow,
  type Page,
  pageFrom,
  type PageQuery,
  removedRow,
  tenantTag,
} from '@vextrus/service-kit'
import { Cacheable, CachePattern } from '@vextrus/shared/cache'
import { DataSource, Repository } from 'typeorm'
import { Setting } from './setting.entity.js'
import { type SettingInput, type SettingView, settingView } from './setting.schemas.js'

/** The tenant is a whole segment of it. */
export const configKey = (tenant: string, key: string): string => `config:${tenant}:${key}`

/** The configuration of tenants: read everywhere and all the time, changed by hand. */
@Injectable()
export class Configuration {
  constructor(
    private readonly cacheWrites: CacheWrites,
    @InjectDataSource() private readonly dataSource: DataSource,
    @InjectRepository(Setting) private readonly settings: Repository<Setting>,
  ) {}

  /** One value: a day in Redis, a minute in the memory of a process – or until it is changed, whichever comes first. Null: no such key; that is not cached. */
  @Cacheable({
    preset: CachePattern.CONFIG,
    keyGenerator: configKey,
    tags: ({ tenantId }: SettingView) => [tenantTag(tenantId)],
    l1: { ttl: '60s' },
  })
  async get(tenantId: string, key: string): Promise<SettingView | null> {
    const setting = await this.settings.findOneBy({ tenantId, key })
    return setting === null ? null : settingView(setting)
  }

  /** A page by key, from the database. */
  list(tenantId: string, page: PageQuery): Promise<Page<SettingView>> {
    return pageFrom(this.settings, page, { where: { tenantId }, order: { key: 'ASC' } }, settingView)
  }

  /**
   * Adds a key, or replaces the value of the version that is named.
   * @throws ConflictException the key is there already, or has another version @throws NotFoundException a version of nothing
   */
  async put(tenantId: string, key: string, { value, version }: SettingInput): Promise<SettingView> {
    const taken = `Configuration ${key} is there already: name the version that you replace`
    const write = () =>
      this.dataSource.transaction(async (transaction) => {
        if (version === undefined) {
          if (await transaction.existsBy(Setting, { tenantId, key })) throw new ConflictException(taken)
          return transaction.save(transaction.create(Setting, { tenantId, key, value: value as object }))
        }
        const row = await lockedRow(transaction, Setting, { tenantId, key }, `Configuration ${key}`, version)
        return transaction.save(Object.assign(row, { value }))
      })
    const mistakes = { missing: 'The tenant does not exist', taken }
    return settingView(await explained(this.cacheWrites.around({ keys: [configKey(tenantId, key)] }, write), mistakes))
  }

  /** @throws NotFoundException @throws ConflictException it has another version than the one that was named */
  async delete(tenantId: string, key: string, version: number | undefined): Promise<void> {
    await this.cacheWrites.around({ keys: [configKey(tenantId, key)] }, () =>
      removedRow(this.dataSource, Setting, { tenantId, key }, `Configuration ${key}`, version),
    )
  }

  /** {@link get}. @throws NotFoundException */
  async demand(tenantId: string, key: string): Promise<SettingView> {
    const setting = await this.get(tenantId, key)
    if (setting === null) throw new NotFoundException(`Configuration ${key} was not found`)
    return setting
  }
}
