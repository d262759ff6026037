import type { IncomingMessage, ServerResponse } from 'node:http'
import { Body, Controller, Get, MethodNotAllowedException, Post, Req, Res } from '@nestjs/common'
import { ApiCreatedResponse, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import { ApiProblems, CurrentTenant, type Tenant, TenantScoped } from '@vextrus/service-kit'
import { assertRole, type Caller, CurrentCaller } from '../http/caller.js'
import {
  announcementInput,
  type AnnouncementInput,
  announcementResult,
  type AnnouncementResult,
  Announcements,
} from './announcements.js'
import { Notifications, type NotificationStatistics } from './notifications.js'

@ApiTags('notifications')
@Controller()
@TenantScoped()
@ApiProblems({ 401: 'The header x-user-id is missing', 503: 'Redis is away' })
export class NotificationsController {
  constructor(
    private readonly notifications: Notifications,
    private readonly announcements: Announcements,
  ) {}

  @Get('notifications')
  @ApiOperation({ summary: 'What the user and the tenant are told, as server-sent events: task, announcement, gap' })
  @ApiHeader({ name: 'last-event-id', required: false, description: 'Of the last event that came: the rest follows' })
  @ApiOkResponse({ content: { 'text/event-stream': { schema: { type: 'string' } } } })
  @ApiProblems({ 429: 'The user has too many streams' })
  async stream(
    @CurrentTenant() { id: tenantId }: Tenant,
    @CurrentCaller() { id: userId }: Caller,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    // Express gives it to the route of GET, and a head has no end by itself.
    if (request.method === 'HEAD') throw new MethodNotAllowedException('A stream is read by GET')
    const { 'last-event-id': last } = request.headers
    await this.notifications.open({ tenantId, userId }, response, last === undefined ? undefined : String(last))
  }

  @Post('announcements')
  @ApiOperation({ summary: 'Tells everybody of the tenant' })
  @ApiCreatedResponse({ standardSchema: announcementResult })
  @ApiProblems({ 403: 'It needs the role admin' })
  announce(
    @CurrentTenant() tenant: Tenant,
    @CurrentCaller() caller: Caller,
    @Body({ schema: announcementInput }) input: AnnouncementInput,
  ): Promise<AnnouncementResult> {
    assertRole(caller, 'admin')
    return this.announcements.tell(tenant.id, caller.id, input)
  }
}

/** For those who run the service: the gateway lets nobody through to `/health`. */
@ApiTags('health')
@Controller('health')
export class NotificationsHealthController {
  constructor(private readonly notifications: Notifications) {}

  @Get('notifications')
  @ApiOperation({ summary: 'How many streams of notifications this process holds open, and how others ended' })
  statistics(): NotificationStatistics {
    return this.notifications.statistics
  }
}
