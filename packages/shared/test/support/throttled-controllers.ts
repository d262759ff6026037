import { Controller, Get, type Type } from '@nestjs/common'
import { minutes, seconds, SkipThrottle, Throttle, type ThrottlerModuleOptions } from '@nestjs/throttler'
import { UNIT_S } from './hit-backends.js'

/** An application of the throttler, but for its storage. */
export interface Throttled {
  readonly options: Exclude<ThrottlerModuleOptions, readonly unknown[]>
  readonly controllers: Type[]
}

/** So many units of time, ms. */
export const units = (howMany: number): number => seconds(howMany * UNIT_S)

@Controller('own')
@Throttle({ default: { limit: 2, ttl: units(2) } })
class OwnLimits {
  @Get()
  counted(): string {
    return 'counted'
  }

  @Get('skipped')
  @SkipThrottle()
  skipped(): string {
    return 'skipped'
  }

  @Get('short-block')
  @Throttle({ default: { limit: 2, ttl: units(2), blockDuration: units(1) } })
  shortBlock(): string {
    return 'counted'
  }

  @Get('long-block')
  @Throttle({ default: { limit: 3, ttl: units(2), blockDuration: units(3) } })
  longBlock(): string {
    return 'counted'
  }

  @Get('no-block')
  @Throttle({ default: { limit: 2, ttl: units(2), blockDuration: 0 } })
  noBlock(): string {
    return 'counted'
  }

  @Get('none')
  @Throttle({ default: { limit: 0, ttl: units(2), blockDuration: units(2) } })
  none(): string {
    return 'counted'
  }
}

@Controller('default')
class DefaultLimits {
  @Get()
  counted(): string {
    return 'counted'
  }
}

/** Limits of the module, of a class and of a method. */
export const levels: Throttled = {
  controllers: [OwnLimits, DefaultLimits],
  options: {
    throttlers: [{ limit: 5, ttl: units(3), blockDuration: units(4), ignoreUserAgents: [/health-check/] }],
  },
}

/** Nothing is limited. */
export const skippedAlways: Throttled = {
  controllers: [DefaultLimits],
  options: { throttlers: [{ limit: 1, ttl: units(1) }], skipIf: () => true },
}

/** Limits that are functions of the request, and no headers. */
export const silent: Throttled = {
  controllers: [DefaultLimits],
  options: {
    setHeaders: false,
    throttlers: [
      {
        ttl: async () => units(1),
        limit: (context) => (context.switchToHttp().getRequest<Request>().headers['x-plan'] === 'large' ? 3 : 1),
        getTracker: (request) => String((request as Request).headers['x-user']),
      },
    ],
  },
}

interface Request {
  readonly headers: Readonly<Record<string, string>>
}

@Controller('several')
class SeveralLimits {
  @Get()
  all(): string {
    return 'counted'
  }

  @Get('without-short')
  @SkipThrottle({ short: true })
  withoutShort(): string {
    return 'counted'
  }

  @Get('short-alone')
  @SkipThrottle({ default: true, long: true })
  shortAlone(): string {
    return 'counted'
  }
}

/** One request in a unit, two in five, five in an hour. */
export const several: Throttled = {
  controllers: [SeveralLimits],
  options: {
    throttlers: [
      { ttl: units(5), limit: 2 },
      { name: 'long', ttl: minutes(60), limit: 5 },
      { name: 'short', ttl: units(1), limit: 1 },
    ],
  },
}

@Controller('keys')
class Keys {
  @Get('one')
  @SkipThrottle({ shared: true })
  one(): string {
    return 'counted'
  }

  @Get('other')
  @SkipThrottle({ shared: true })
  other(): string {
    return 'counted'
  }

  @Get('shared/one')
  @SkipThrottle({ default: true })
  sharedOne(): string {
    return 'counted'
  }

  @Get('shared/other')
  @SkipThrottle({ default: true })
  sharedOther(): string {
    return 'counted'
  }
}

/** A tracker and a key of one's own; a message of one's own. */
export const functions: Throttled = {
  controllers: [Keys],
  options: {
    errorMessage: (context, { tracker, totalHits, limit, timeToBlockExpire }) =>
      `${context.getClass().name}.${context.getHandler().name} ${tracker} ${totalHits}/${limit} ${timeToBlockExpire > 0}`,
    throttlers: [
      { ttl: units(1), limit: 2 },
      {
        name: 'shared',
        ttl: units(1),
        limit: 2,
        getTracker: () => 'everybody',
        generateKey: (_context, tracker, name) => `${name}-${tracker}`,
      },
    ],
  },
}
