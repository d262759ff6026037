import { Injectable, NotFoundException } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import { CacheWrites, explained, type Page, pageFrom, type PageQuery, tenantTag } from '@vextrus/service-kit'
import { CachePattern, CacheService, RedisCacheService } from '@vextrus/shared/cache'
import { Repository } from 'typeorm'
import { Account, Posting } from './account.entities.js'
import { AccountLedger, type TransferRequest, type TransferResult } from './account-ledger.js'
import { type AccountInput, type AccountView, accountView, type PostingView, postingView } from './account.schemas.js'

/** The tenant is a whole segment of it. */
export const accountKey = (tenant: string, code: string): string => `account:${tenant}:${code}`

/** The accounts of tenants, as clients see them: what is read comes from the cache, what is written goes through the {@link AccountLedger}. */
@Injectable()
export class Accounts {
  constructor(
    private readonly cache: RedisCacheService,
    private readonly presets: CacheService,
    private readonly cacheWrites: CacheWrites,
    private readonly ledger: AccountLedger,
    @InjectRepository(Account) private readonly accounts: Repository<Account>,
    @InjectRepository(Posting) private readonly postings: Repository<Posting>,
  ) {}

  /** One account with its balance, for a minute, or until money comes or goes. @throws NotFoundException */
  get(tenantId: string, code: string): Promise<AccountView> {
    return this.cache.getOrSet(accountKey(tenantId, code), () => this.load(tenantId, code), {
      ttl: this.presets.getTTL(CachePattern.QUERY),
      tags: [tenantTag(tenantId)],
    })
  }

  /** A page by code, from the database. */
  list(tenantId: string, page: PageQuery): Promise<Page<AccountView>> {
    return pageFrom(this.accounts, page, { where: { tenantId }, order: { code: 'ASC' } }, accountView)
  }

  /** What came and went, the latest first, from the database. @throws NotFoundException */
  async statement(tenantId: string, code: string, page: PageQuery): Promise<Page<PostingView>> {
    await this.get(tenantId, code)
    const find = { where: { tenantId, accountCode: code }, order: { id: 'DESC' } } as const
    return pageFrom(this.postings, page, find, postingView)
  }

  /** Opens an account with nothing in it. @throws ConflictException the code is taken */
  async create(tenantId: string, input: AccountInput): Promise<AccountView> {
    const mistakes = { missing: 'The tenant does not exist', taken: `There is an account ${input.code} already` }
    // Not `save`, which would look for the row by its key and change it.
    await explained(this.accounts.insert({ tenantId, ...input, balance: 0, fence: '0' }), mistakes)
    return { tenantId, ...input, balance: 0 }
  }

  /** @throws as {@link AccountLedger.transfer} */
  transfer(tenantId: string, request: TransferRequest): Promise<TransferResult> {
    const keys = [accountKey(tenantId, request.from), accountKey(tenantId, request.to)]
    return this.cacheWrites.around({ keys }, () => this.ledger.transfer(tenantId, request))
  }

  private async load(tenantId: string, code: string): Promise<AccountView> {
    const account = await this.accounts.findOneBy({ tenantId, code })
    if (account === null) throw new NotFoundException(`Account ${code} was not found`)
    return accountView(account)
  }
}
