import { Injectable, NotFoundException } from '@nestjs/common'
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
import { CachePattern, CacheService, RedisCacheService } from '@vextrus/shared/cache'
import { DataSource, Repository } from 'typeorm'
import { Flag } from './flag.entity.js'
import { type FlagChanges, type FlagEvaluation, type FlagInput, type FlagView, flagView } from './flag.schemas.js'
import { evaluated } from './rollout.js'

/** The tenant is a whole segment of it. */
export const flagCacheKey = (tenant: string, key: string): string => `flag:${tenant}:${key}`

/** For how long it is remembered that there is no such flag: programs ask for flags that nobody has made yet. */
const UNKNOWN_TTL = '30s'

/** Feature flags of tenants. */
@Injectable()
export class Flags {
  constructor(
    private readonly cache: RedisCacheService,
    private readonly presets: CacheService,
    private readonly cacheWrites: CacheWrites,
    @InjectDataSource() private readonly dataSource: DataSource,
    @InjectRepository(Flag) private readonly flags: Repository<Flag>,
  ) {}

  /** Whether a flag is on for a subject. @throws NotFoundException */
  async evaluate(tenantId: string, key: string, subject: string): Promise<FlagEvaluation> {
    const flag = await this.cached(tenantId, key)
    if (flag === null) throw notFound(key)
    return evaluated(flag, subject)
  }

  /** From the database: whoever edits it needs its version of this moment. @throws NotFoundException */
  async get(tenantId: string, key: string): Promise<FlagView> {
    const flag = await this.load(tenantId, key)
    if (flag === null) throw notFound(key)
    return flag
  }

  /** A page by key, from the database. */
  list(tenantId: string, page: PageQuery): Promise<Page<FlagView>> {
    return pageFrom(this.flags, page, { where: { tenantId }, order: { key: 'ASC' } }, flagView)
  }

  /** @throws ConflictException the key is taken */
  async create(tenantId: string, input: FlagInput): Promise<FlagView> {
    return this.changing(tenantId, input.key, async () => {
      // Not `save`, which would look for the row by its key and change it.
      await this.flags.insert({ ...input, tenantId, version: 1 })
      return this.get(tenantId, input.key)
    })
  }

  /** @throws NotFoundException @throws ConflictException the flag has another version by now */
  async update(tenantId: string, key: string, { version, ...changes }: FlagChanges): Promise<FlagView> {
    return this.changing(tenantId, key, () =>
      this.dataSource.transaction(async (transaction) => {
        const row = await lockedRow(transaction, Flag, { tenantId, key }, `Flag ${key}`, version)
        return flagView(await transaction.save(Object.assign(row, changes)))
      }),
    )
  }

  /** @throws NotFoundException @throws ConflictException the flag has another version than the one that was named */
  async delete(tenantId: string, key: string, version: number | undefined): Promise<void> {
    await this.changing(tenantId, key, () =>
      removedRow(this.dataSource, Flag, { tenantId, key }, `Flag ${key}`, version),
    )
  }

  private cached(tenantId: string, key: string): Promise<FlagView | null> {
    return this.cache.getOrSet(flagCacheKey(tenantId, key), () => this.load(tenantId, key), {
      ttl: this.presets.getTTL(CachePattern.FEATURE_FLAG),
      tags: [tenantTag(tenantId)],
      cacheNull: UNKNOWN_TTL,
    })
  }

  private async load(tenantId: string, key: string): Promise<FlagView | null> {
    const flag = await this.flags.findOneBy({ tenantId, key })
    return flag === null ? null : flagView(flag)
  }

  /** A write of one flag, with its invalidation around it. */
  private changing<T>(tenantId: string, key: string, write: () => Promise<T>): Promise<T> {
    const mistakes = { missing: 'The tenant does not exist', taken: `There is a flag ${key} already` }
    return explained(this.cacheWrites.around({ keys: [flagCacheKey(tenantId, key)] }, write), mistakes)
  }
}

const notFound = (key: string): NotFoundException => new NotFoundException(`Flag ${key} was not found`)
