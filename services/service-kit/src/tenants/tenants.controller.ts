import { Controller, Get } from '@nestjs/common'
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { TenantRegistry } from './tenant.registry.js'

const tenantSchema = z.object({
  id: z.string().meta({ example: 'aurora-hardware' }),
  name: z.string(),
  countryCode: z.string(),
  currencyCode: z.string(),
})

@ApiTags('tenants')
@Controller('tenants')
export class TenantsController {
  constructor(private readonly registry: TenantRegistry) {}

  @Get()
  @ApiOperation({ summary: 'The tenants; their ids go into the header x-tenant-id' })
  @ApiOkResponse({ standardSchema: z.array(tenantSchema) })
  list(): z.infer<typeof tenantSchema>[] {
    return this.registry.all()
  }
}
