import { Body, Controller, Delete, Get, HttpCode, Param, Put, Query } from '@nestjs/common'
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
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
import { Configuration } from './configuration.js'
import {
  type SettingInput,
  settingInput,
  settingKey,
  settingPage,
  settingSchema,
  type SettingView,
} from './setting.schemas.js'

@ApiTags('configuration')
@Controller('configuration')
@TenantScoped()
export class ConfigurationController {
  constructor(private readonly configuration: Configuration) {}

  @Get()
  @ApiOperation({ summary: 'A page of the tenant’s configuration by key, as it is in the database' })
  @ApiOkResponse({ standardSchema: settingPage })
  list(@CurrentTenant() tenant: Tenant, @Query({ schema: pageQuery }) page: PageQuery): Promise<Page<SettingView>> {
    return this.configuration.list(tenant.id, page)
  }

  @Get(':key')
  @ApiOperation({ summary: 'One value of the configuration' })
  @CachedRead(settingSchema)
  get(@CurrentTenant() tenant: Tenant, @Param('key', { schema: settingKey }) key: string): Promise<SettingView> {
    return this.configuration.demand(tenant.id, key)
  }

  @Put(':key')
  @ApiOperation({ summary: 'Adds a value, or replaces the version that is named' })
  @ApiOkResponse({ standardSchema: settingSchema })
  @ApiProblems({ 409: 'The key is there already, or has another version by now' })
  put(
    @CurrentTenant() tenant: Tenant,
    @Param('key', { schema: settingKey }) key: string,
    @Body({ schema: settingInput }) input: SettingInput,
  ): Promise<SettingView> {
    return this.configuration.put(tenant.id, key, input)
  }

  @Delete(':key')
  @HttpCode(204)
  @ApiOperation({ summary: 'Removes a value, of the version that is named or any' })
  @ApiNoContentResponse()
  @ApiProblems({ 409: 'The value has another version by now' })
  delete(
    @CurrentTenant() tenant: Tenant,
    @Param('key', { schema: settingKey }) key: string,
    @Query({ schema: versionQuery }) { version }: z.infer<typeof versionQuery>,
  ): Promise<void> {
    return this.configuration.delete(tenant.id, key, version)
  }
}
