import { Inject, Injectable, NotFoundException, type OnModuleDestroy } from '@nestjs/common'
import { GATEWAY_CONFIG, type GatewayConfig } from '../config.js'
import { isServiceName, SERVICES, type ServiceName, serviceNames, type ServiceTraits } from './service-names.js'
import { behindFirstSegment, segmentsOf, type Target } from './target-path.js'
import { Upstream } from './upstream.js'

/** A service, and what of it is asked for. */
export interface Destination {
  readonly service: ServiceName
  readonly upstream: Upstream
  readonly target: Target
  readonly traits: ServiceTraits
}

/** The services, as their clients reach them. */
@Injectable()
export class Services implements OnModuleDestroy {
  private readonly upstreams: Readonly<Record<ServiceName, Upstream>>

  constructor(@Inject(GATEWAY_CONFIG) { services, upstreamPatienceMs }: GatewayConfig) {
    const upstreams = serviceNames.map((name) => [name, new Upstream(name, services[name], upstreamPatienceMs)])
    this.upstreams = Object.fromEntries(upstreams) as Record<ServiceName, Upstream>
  }

  get(service: ServiceName): Upstream {
    return this.upstreams[service]
  }

  /** Where a target of the gateway leads. @throws NotFoundException nowhere, or where no client comes */
  destinationOf(target: Target): Destination {
    const [service = ''] = segmentsOf(target.path)
    if (!isServiceName(service)) {
      throw new NotFoundException(`There is no such service: there are ${serviceNames.join(', ')}`)
    }
    const behind = behindFirstSegment(target)
    const traits: ServiceTraits = SERVICES[service]
    if (traits.hidden.includes(firstWordOf(behind.path))) {
      throw new NotFoundException(`The service ${service} has nothing of that name for its clients`)
    }
    return { service, upstream: this.upstreams[service], target: behind, traits }
  }

  onModuleDestroy(): void {
    for (const upstream of Object.values(this.upstreams)) upstream.close()
  }
}

/** As the least strict of all routers reads it. */
function firstWordOf(path: string): string {
  return decodeURIComponent(segmentsOf(path)[0] ?? '').toLowerCase()
}
