import type { INestApplication } from '@nestjs/common'
import type { NestExpressApplication } from '@nestjs/platform-express'
import { HttpAdapterHost, NestFactory } from '@nestjs/core'
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger'
import { VextrusExceptionFilter } from '@vextrus/shared/cache'
import { NewDatabase } from '../cache/new-database.js'
import type { ServiceConfig } from '../config/environment.js'
import { startEmbeddedThread } from '../database/embedded-thread.js'
import { prepareDatabase } from '../database/prepare-database.js'
import { QueryLog } from '../database/query-log.js'
import { ProblemFilter } from '../http/problem.filter.js'
import { validationPipe } from '../http/validation.pipe.js'
import type { ServiceDefinition } from './service-definition.js'
import { ServiceModule } from './service.module.js'

/** A service that listens. */
export interface RunningService {
  readonly app: INestApplication
  /** `http://localhost:3000`, without a slash at its end. */
  readonly url: string
  readonly queryLog: QueryLog
  /** Answers what has been asked, then ends everything that the service has opened. Doing it twice is fine. */
  close(): Promise<void>
}

/** For how long requests that are being answered may keep the service from closing. */
const DRAIN_MS = 2_000
/**
 * For how long an idle connection is kept. Whoever asks on one at the very moment at which it is closed hears nothing but its end, so it should be
 * the client that ends it: this is longer than load balancers keep theirs, a minute mostly.
 */
const KEEP_ALIVE_MS = 65_000

/**
 * Starts the service: database (migrated and filled) where it has one, application, port.
 * @param say told of the steps of the start, a line each
 */
export async function startService(
  definition: ServiceDefinition,
  config: ServiceConfig,
  say: (line: string) => void = () => undefined,
): Promise<RunningService> {
  const queryLog = new QueryLog()
  const tables = definition.database
  const database = tables && (await openDatabase(config, say))
  let app: NestExpressApplication | undefined
  try {
    const isNew = tables && database && (await prepareDatabase(definition.name, tables, database.url, queryLog, say))
    app = await NestFactory.create<NestExpressApplication>(
      ServiceModule.with(definition, { database, queryLog, redis: config.redis }),
      { logger: ['error', 'warn'], abortOnError: false, bodyParser: definition.parsesBodies !== false },
    )
    configure(app, definition, queryLog)
    await app.init()
    if (isNew) await app.get(NewDatabase).forgetOldRows()
    await app.listen(config.port)
  } catch (error) {
    await app?.close()
    await database?.stop()
    throw error
  }
  const running = app
  let closing: Promise<void> | undefined
  const end = async (): Promise<void> => {
    try {
      await close(running)
    } finally {
      await database?.stop()
    }
  }
  return {
    app: running,
    url: (await running.getUrl()).replace('[::1]', 'localhost'),
    queryLog,
    close: () => (closing ??= end()),
  }
}

/** The one that it is told of, or an embedded one, which ends with the service. */
async function openDatabase({ databaseUrl: url, databasePool: poolSize }: ServiceConfig, say: (line: string) => void) {
  if (url === undefined) {
    const embedded = await startEmbeddedThread()
    say('database: embedded Postgres, in memory')
    return embedded
  }
  say('database: DATABASE_URL')
  return { url, poolSize, stop: () => Promise.resolve() }
}

function configure(app: NestExpressApplication, { title, description }: ServiceDefinition, queryLog: QueryLog): void {
  app.disable('x-powered-by')
  app.useGlobalPipes(validationPipe())
  // The last one that knows an error answers it: what passes by itself – a lock that was not free in time – is 503 with `Retry-After`.
  app.useGlobalFilters(new ProblemFilter(app.get(HttpAdapterHost)), new VextrusExceptionFilter())
  // Before every route, so that whatever a request makes the service do is counted for it.
  app.use((_request: unknown, _response: unknown, next: () => void) => queryLog.follow({ queries: 0 }, next))
  const server = app.getHttpServer() as { keepAliveTimeout: number }
  server.keepAliveTimeout = KEEP_ALIVE_MS
  const document = new DocumentBuilder().setTitle(title).setDescription(description).setVersion('0.1.0').build()
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, document))
}

async function close(app: INestApplication): Promise<void> {
  const server = app.getHttpServer() as { closeAllConnections(): void }
  const impatience = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
  try {
    await app.close()
  } finally {
    clearTimeout(impatience)
  }
}
