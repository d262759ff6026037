import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common'
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import {
  ApiProblems,
  CachedRead,
  CurrentTenant,
  type Page,
  type PageQuery,
  pageQuery,
  type Tenant,
  TenantScoped,
  versionQuery,
} from '@vextrus/service-kit'
import type { z } from 'zod'
import {
  type FlagChanges,
  flagChanges,
  type FlagEvaluation,
  flagEvaluationSchema,
  type FlagInput,
  flagInput,
  flagKey,
  flagPage,
  flagSchema,
  flagSubjectQuery,
  type FlagView,
} from './flag.schemas.js'
import { Flags } from './flags.js'

@ApiTags('flags')
@Controller('flags')
@TenantScoped()
export class FlagsController {
  constructor(private readonly flags: Flags) {}

  @Get()
  @ApiOperation({ summary: 'A page of flags by key, as they are in the database' })
  @ApiOkResponse({ standardSchema: flagPage })
  list(@CurrentTenant() tenant: Tenant, @Query({ schema: pageQuery }) page: PageQuery): Promise<Page<FlagView>> {
    return this.flags.list(tenant.id, page)
  }

  @Get(':key/evaluation')
  @ApiOperation({ summary: 'Whether a flag is on for a subject, and in which variant' })
  @CachedRead(flagEvaluationSchema)
  evaluate(
    @CurrentTenant() tenant: Tenant,
    @Param('key', { schema: flagKey }) key: string,
    @Query({ schema: flagSubjectQuery }) { subject }: z.infer<typeof flagSubjectQuery>,
  ): Promise<FlagEvaluation> {
    return this.flags.evaluate(tenant.id, key, subject)
  }

  @Get(':key')
  @ApiOperation({ summary: 'One flag, as it is in the database' })
  @ApiOkResponse({ standardSchema: flagSchema })
  get(@CurrentTenant() tenant: Tenant, @Param('key', { schema: flagKey }) key: string): Promise<FlagView> {
    return this.flags.get(tenant.id, key)
  }

  @Post()
  @ApiOperation({ summary: 'Adds a flag' })
  @ApiCreatedResponse({ standardSchema: flagSchema })
  @ApiProblems({ 409: 'The key is taken' })
  create(@CurrentTenant() tenant: Tenant, @Body({ schema: flagInput }) input: FlagInput): Promise<FlagView> {
    return this.flags.create(tenant.id, input)
  }

  @Patch(':key')
  @ApiOperation({ summary: 'Changes some fields of a flag' })
  @ApiOkResponse({ standardSchema: flagSchema })
  @ApiProblems({ 409: 'The flag has another version by now' })
  update(
    @CurrentTenant() tenant: Tenant,
    @Param('key', { schema: flagKey }) key: string,
    @Body({ schema: flagChanges }) changes: FlagChanges,
  ): Promise<FlagView> {
    return this.flags.update(tenant.id, key, changes)
  }

  @Delete(':key')
  @HttpCode(204)
  @ApiOperation({ summary: 'Removes a flag, of the version that is named or any' })
  @ApiNoContentResponse()
  @ApiProblems({ 409: 'The flag has another version by now' })
  delete(
    @CurrentTenant() tenant: Tenant,
    @Param('key', { schema: flagKey }) key: string,
    @Query({ schema: versionQuery }) { version }: z.infer<typeof versionQuery>,
  ): Promise<void> {
    return this.flags.delete(tenant.id, key, version)
  }
}
