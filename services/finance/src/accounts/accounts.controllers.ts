import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common'
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import {
  ApiProblems,
  CachedRead,
  CurrentTenant,
  type Page,
  type PageQuery,
  pageQuery,
  type Tenant,
  TenantScoped,
} from '@vextrus/service-kit'
import type { TransferRequest, TransferResult } from './account-ledger.js'
import {
  accountCode,
  type AccountInput,
  accountInput,
  accountPage,
  accountSchema,
  type AccountView,
  postingPage,
  type PostingView,
  transferRequest,
  transferResult,
} from './account.schemas.js'
import { Accounts } from './accounts.js'

@ApiTags('accounts')
@Controller('accounts')
@TenantScoped()
export class AccountsController {
  constructor(private readonly accounts: Accounts) {}

  @Get()
  @ApiOperation({ summary: 'A page of accounts by code, as they are in the database' })
  @ApiOkResponse({ standardSchema: accountPage })
  list(@CurrentTenant() tenant: Tenant, @Query({ schema: pageQuery }) page: PageQuery): Promise<Page<AccountView>> {
    return this.accounts.list(tenant.id, page)
  }

  @Get(':code')
  @ApiOperation({ summary: 'One account with its balance' })
  @CachedRead(accountSchema)
  get(@CurrentTenant() tenant: Tenant, @Param('code', { schema: accountCode }) code: string): Promise<AccountView> {
    return this.accounts.get(tenant.id, code)
  }

  @Get(':code/postings')
  @ApiOperation({ summary: 'What came and went, the latest first, as it is in the database' })
  @ApiOkResponse({ standardSchema: postingPage })
  statement(
    @CurrentTenant() tenant: Tenant,
    @Param('code', { schema: accountCode }) code: string,
    @Query({ schema: pageQuery }) page: PageQuery,
  ): Promise<Page<PostingView>> {
    return this.accounts.statement(tenant.id, code, page)
  }

  @Post()
  @ApiOperation({ summary: 'Opens an account with nothing in it' })
  @ApiCreatedResponse({ standardSchema: accountSchema })
  @ApiProblems({ 409: 'The code is taken' })
  create(@CurrentTenant() tenant: Tenant, @Body({ schema: accountInput }) input: AccountInput): Promise<AccountView> {
    return this.accounts.create(tenant.id, input)
  }
}

@ApiTags('accounts')
@Controller('transfers')
@TenantScoped()
export class TransfersController {
  constructor(private readonly accounts: Accounts) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({ summary: 'Moves money from one account to another, once for each reference' })
  @ApiOkResponse({ standardSchema: transferResult })
  @ApiProblems({
    409: 'An account would be overdrawn, the reference was used for something else, or a later writer was faster',
    503: 'The lock of an account was not to be had',
  })
  transfer(
    @CurrentTenant() tenant: Tenant,
    @Body({ schema: transferRequest }) request: TransferRequest,
  ): Promise<TransferResult> {
    return this.accounts.transfer(tenant.id, request)
  }
}
