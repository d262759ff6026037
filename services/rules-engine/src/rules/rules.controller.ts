import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common'
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import {
  ApiProblems,
  CachedRead,
  CurrentTenant,
  idParam,
  type Page,
  type Tenant,
  TenantScoped,
  versionQuery,
} from '@vextrus/service-kit'
import type { z } from 'zod'
import { RuleCommands } from './rule.commands.js'
import { RuleQueries } from './rule.queries.js'
import {
  type RuleChanges,
  ruleChanges,
  type RuleInput,
  ruleInput,
  type RuleListQuery,
  ruleListQuery,
  rulePage,
  ruleSchema,
  type RuleSwitch,
  ruleSwitch,
  ruleSwitchResult,
  type RuleView,
} from './rule.schemas.js'

@ApiTags('rules')
@Controller('rules')
@TenantScoped()
export class RulesController {
  constructor(
    private readonly queries: RuleQueries,
    private readonly commands: RuleCommands,
  ) {}

  @Get()
  @ApiOperation({ summary: 'A page of rules by subject and priority' })
  @CachedRead(rulePage)
  list(
    @CurrentTenant() tenant: Tenant,
    @Query({ schema: ruleListQuery }) query: RuleListQuery,
  ): Promise<Page<RuleView>> {
    return this.queries.list(tenant.id, query)
  }

  @Get(':id')
  @ApiOperation({ summary: 'One rule, as it is in the database' })
  @ApiOkResponse({ standardSchema: ruleSchema })
  get(@CurrentTenant() tenant: Tenant, @Param('id', { schema: idParam }) id: number): Promise<RuleView> {
    return this.queries.get(tenant.id, id)
  }

  @Post()
  @ApiOperation({ summary: 'Adds a rule; it is in force in every process when this answers' })
  @ApiCreatedResponse({ standardSchema: ruleSchema })
  @ApiProblems({ 409: 'The name is taken' })
  create(@CurrentTenant() tenant: Tenant, @Body({ schema: ruleInput }) input: RuleInput): Promise<RuleView> {
    return this.commands.create(tenant.id, input)
  }

  @Post('switches')
  @HttpCode(200)
  @ApiOperation({ summary: 'Turns all rules of a subject, or of the tenant, on or off' })
  @ApiOkResponse({ standardSchema: ruleSwitchResult })
  async switch(
    @CurrentTenant() tenant: Tenant,
    @Body({ schema: ruleSwitch }) change: RuleSwitch,
  ): Promise<z.infer<typeof ruleSwitchResult>> {
    return { changed: await this.commands.switch(tenant.id, change) }
  }

  @Patch(':id')
  @ApiOperation({ summary: 'Changes some fields of a rule; all but its subject' })
  @ApiOkResponse({ standardSchema: ruleSchema })
  @ApiProblems({ 409: 'The rule has another version by now, or the name is taken' })
  update(
    @CurrentTenant() tenant: Tenant,
    @Param('id', { schema: idParam }) id: number,
    @Body({ schema: ruleChanges }) changes: RuleChanges,
  ): Promise<RuleView> {
    return this.commands.update(tenant.id, id, changes)
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Removes a rule, of the version that is named or any' })
  @ApiNoContentResponse()
  @ApiProblems({ 409: 'The rule has another version by now' })
  delete(
    @CurrentTenant() tenant: Tenant,
    @Param('id', { schema: idParam }) id: number,
    @Query({ schema: versionQuery }) { version }: z.infer<typeof versionQuery>,
  ): Promise<void> {
    return this.commands.delete(tenant.id, id, version)
  }
}
