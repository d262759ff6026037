/**
 * The floors of ARCHITECTURE.md as rules: a floor imports only floors below it, and nothing turns in a circle.
 * `npm run floors` applies them, and first proves on planted violations that each of them still bites.
 */
const SRC = '^packages/shared/src/'
const SPEC = '[.]spec[.]ts$'

/** From the ground up. Folders that stand on one floor never import each other. */
const floors = [
  ['kernel'],
  ['redis', 'nest'],
  ['pubsub', 'lock'],
  ['cache', 'rate-limit', 'session', 'jwt'],
  ['health', 'dashboard', 'integrations'],
  ['module'],
  ['testing'],
  ['utils'],
]

const folders = floors.flat()
const capabilities = ['pubsub', 'lock', 'cache', 'rate-limit', 'session', 'jwt', 'health', 'dashboard'].join('|')
/** The parts of a capability that may know Redis, and those that may know Nest. What is left are the engines. */
const redisStore = 'stores/redis[^/]*[.]ts$'
const nest = 'nest/'
const engine = `${SRC}(${capabilities})/(?!nest/|index[.]ts$)`
const npm = (...names) => `(^|/)node_modules/(${names.join('|')})(/|$)`

/** One rule a folder: everything on its own floor and above is out of its reach. */
const floorRules = floors.flatMap((floor, height) =>
  floor.map((folder) => ({
    name: `floor-${height}-${folder}`,
    comment: `${folder}/ stands on floor ${height} and imports only floors below it.`,
    severity: 'error',
    from: { path: `${SRC}${folder}/`, pathNot: SPEC },
    to: {
      path: `${SRC}(${
        floors
          .slice(height)
          .flat()
          .filter((other) => other !== folder)
          .join('|') || '(?!)'
      })/`,
    },
  })),
)

module.exports = {
  forbidden: [
    ...floorRules,
    {
      name: 'no-cycles',
      comment: 'A cycle makes the order in which modules are initialised a matter of luck.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'known-folder',
      comment: 'Every source file stands in a folder that has a floor.',
      severity: 'error',
      from: { path: `${SRC}(?!(${folders.join('|')})/)` },
      to: {},
    },
    {
      name: 'no-specs',
      comment: 'Code never imports a test.',
      severity: 'error',
      from: { path: '^(packages|services)/', pathNot: SPEC },
      to: { path: SPEC },
    },
    {
      name: 'no-unresolvable',
      comment: 'Every import is found. Of @vextrus/shared only the subpaths that its package.json exports are.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'engine-without-nest',
      comment: 'Engines know neither Nest nor the Nest pieces, of their capability or of all.',
      severity: 'error',
      from: { path: engine, pathNot: SPEC },
      to: { path: [npm('@nestjs/[^/]+', 'reflect-metadata'), `${SRC}((${capabilities})/)?${nest}`] },
    },
    {
      name: 'engine-without-rxjs',
      comment: 'Engines answer promises; only pubsub, whose messages are a stream, hands out an Observable.',
      severity: 'error',
      from: { path: engine, pathNot: [SPEC, `${SRC}pubsub/pubsub[.]ts$`] },
      to: { path: npm('rxjs') },
    },
    {
      name: 'engine-without-redis',
      comment: 'Only stores/redis.ts and nest/ of a capability import redis/.',
      severity: 'error',
      from: { path: `${SRC}(${capabilities})/`, pathNot: [`${SRC}[^/]+/${redisStore}`, `${SRC}[^/]+/${nest}`, SPEC] },
      to: { path: `${SRC}redis/` },
    },
    {
      name: 'ground-without-nest',
      comment: 'kernel/ and redis/ are plain code.',
      severity: 'error',
      from: { path: `${SRC}(kernel|redis)/`, pathNot: SPEC },
      to: { path: npm('@nestjs/[^/]+', 'rxjs', 'reflect-metadata') },
    },
    {
      name: 'client-only-in-adapters',
      comment: 'Only redis/adapters/* imports a client package.',
      severity: 'error',
      from: { path: [SRC, '^services/[^/]+/src/'], pathNot: [`${SRC}redis/adapters/`, SPEC] },
      to: { path: npm('ioredis', 'redis', '@redis/[^/]+', 'iovalkey', '@valkey/[^/]+') },
    },
    {
      name: 'known-packages',
      comment:
        'The packages that src may import. An optional peer belongs into integrations/, a client into redis/adapters/, a codec and the errors of transports into their files.',
      severity: 'error',
      from: {
        path: SRC,
        pathNot: [
          ...[`${SRC}(integrations|redis/adapters)/`, `${SRC}kernel/codec/msgpack.ts$`],
          ...[`${SRC}nest/transport-error.ts$`, SPEC],
        ],
      },
      to: {
        dependencyTypesNot: ['core', 'local'],
        path: '(^|/)node_modules/',
        pathNot: npm('lru-cache', '@nestjs/common', '@nestjs/core', 'rxjs', 'reflect-metadata'),
      },
    },
    {
      name: 'services-by-package-name',
      comment:
        'A service uses the toolkit by package name, as any other user does; its tests may borrow the test support.',
      severity: 'error',
      from: { path: '^services/[^/]+/src/', pathNot: SPEC },
      to: { path: '^packages/', dependencyTypesNot: ['aliased-workspace'] },
    },
    {
      name: 'service-tests-by-package-name',
      comment: 'A test of a service sees the toolkit as the service does; only the test support is borrowed.',
      severity: 'error',
      from: { path: ['^services/[^/]+/test/', `^services/.*${SPEC}`] },
      to: { path: '^packages/(?!shared/test/support/)', dependencyTypesNot: ['aliased-workspace'] },
    },
    {
      name: 'services-apart',
      comment:
        'A service never imports another; what they share is in service-kit, which imports none of them. A test may start another one beside its own.',
      severity: 'error',
      from: { path: '^services/([^/]+)/', pathNot: ['^services/[^/]+/test/', SPEC] },
      to: { path: '^services/(?!$1/|service-kit/)' },
    },
  ],
  options: {
    // Beside TypeScript 7 dependency-cruiser finds no TypeScript modules with any other parser, and says so to nobody.
    parser: 'swc',
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: { path: ['/dist/[^/]+[.]map$'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
}
