import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  UseInterceptors,
} from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import { ApiOkResponse } from '@nestjs/swagger'
import type { Observable } from 'rxjs'
import { tap } from 'rxjs/operators'
import type { z } from 'zod'
import { QueryLog } from '../database/query-log.js'

/**
 * Adds `X-Cache` to answers: `HIT` when this request sent no query to the database, else `MISS`. It is what happened, not what was planned: a
 * request that waited for another one's load of the same key sent no query either, and is a `HIT`.
 */
@Injectable()
export class XCacheInterceptor implements NestInterceptor {
  constructor(
    private readonly queryLog: QueryLog,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const response: unknown = context.switchToHttp().getResponse()
    return next.handle().pipe(
      tap(() => {
        const trace = this.queryLog.current()
        if (trace === undefined) return
        this.adapterHost.httpAdapter.setHeader(response, 'X-Cache', trace.queries === 0 ? 'HIT' : 'MISS')
      }),
    )
  }
}

/** A read that may come from the cache: says so in `X-Cache`, and documents the answer. */
export const CachedRead = (schema: z.ZodType, description?: string): MethodDecorator =>
  applyDecorators(
    UseInterceptors(XCacheInterceptor),
    ApiOkResponse({
      standardSchema: schema,
      ...(description === undefined ? {} : { description }),
      headers: {
        'X-Cache': {
          description: 'HIT: answered without a query to the database',
          schema: { type: 'string', enum: ['HIT', 'MISS'] },
        },
      },
    }),
  )
