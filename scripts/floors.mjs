// `npm run floors`: checks the rules of .dependency-cruiser.cjs on the workspace, after proving on planted violations that each still bites.
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Visitor } from '@swc/core/Visitor.js'
import { cruise } from 'dependency-cruiser'
import { build } from './lib/build.mjs'
import { main, root, say, Stop } from './lib/run.mjs'

// What dependency-cruiser walks through a file with throws at `await using`, a declaration like any other.
const { visitStatement } = Visitor.prototype
Visitor.prototype.visitStatement = function (statement) {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement)
  this.visitVariableDeclarators(statement.decls)
  return statement
}

const config = createRequire(import.meta.url)('../.dependency-cruiser.cjs')
const FOLDERS = ['packages', 'services']
const SRC = 'packages/shared/src'
/** Fewer modules than this is not the toolkit but a parser that found nothing. */
const PLAUSIBLE_MODULES = 20

/** Files that break one rule each. The copy in which they are planted is thrown away. */
const PLANTED = [
  { file: `${SRC}/kernel/planted-door.ts`, breaks: 'floor-0-kernel', code: `export * from '../redis/topology.js'` },
  { file: `${SRC}/kernel/planted-nest.ts`, breaks: 'ground-without-nest', code: `import '@nestjs/common'` },
  {
    file: `${SRC}/kernel/planted-type.ts`,
    breaks: 'floor-0-kernel',
    code: `export type { CacheStore } from '../cache/cache-store.js'`,
  },
  { file: `${SRC}/kernel/planted-one.ts`, breaks: 'no-cycles', code: `export * from './planted-two.js'` },
  { file: `${SRC}/kernel/planted-two.ts`, code: `export type { Clock } from './planted-one.js'` },
  {
    file: `${SRC}/redis/planted.ts`,
    breaks: 'client-only-in-adapters',
    code: `import type { Redis } from 'ioredis'\nexport type R = Redis`,
  },
  {
    file: `${SRC}/module/planted.ts`,
    breaks: 'client-only-in-adapters',
    code: `export const load = () => import('ioredis')`,
  },
  {
    file: `${SRC}/module/planted-using.ts`,
    breaks: 'client-only-in-adapters',
    code: `export async function load() {\n  await using made = await import('ioredis')\n}`,
  },
  { file: `${SRC}/module/planted-peer.ts`, breaks: 'known-packages', code: `export * from 'fast-check'` },
  {
    file: `${SRC}/cache/planted-nest.ts`,
    breaks: 'engine-without-nest',
    code: `import { Module } from '@nestjs/common'\nexport { Module }`,
  },
  {
    file: `${SRC}/cache/planted-rxjs.ts`,
    breaks: 'engine-without-rxjs',
    code: `export type { Observable } from 'rxjs'`,
  },
  {
    file: `${SRC}/cache/planted-shared-nest.ts`,
    breaks: 'engine-without-nest',
    code: `export * from '../nest/tokens.js'`,
  },
  {
    file: `${SRC}/cache/planted-own-nest.ts`,
    breaks: 'engine-without-nest',
    code: `export * from './nest/cache-pattern.js'`,
  },
  {
    file: `${SRC}/nest/planted.ts`,
    breaks: 'floor-1-nest',
    code: `export type { Topology } from '../redis/topology.js'`,
  },
  { file: `${SRC}/redis/planted-nest.ts`, breaks: 'floor-1-redis', code: `export * from '../nest/tokens.js'` },
  {
    file: `${SRC}/cache/planted-redis.ts`,
    breaks: 'engine-without-redis',
    code: `export type { Topology } from '../redis/topology.js'`,
  },
  { file: `${SRC}/session/planted.ts`, breaks: 'floor-3-session', code: `export * from '../cache/cache-store.js'` },
  { file: `${SRC}/elsewhere/planted.ts`, breaks: 'known-folder', code: `export * from '../kernel/clock.js'` },
  { file: `${SRC}/kernel/planted-spec.ts`, breaks: 'no-specs', code: `export * from './planted.spec.js'` },
  { file: `${SRC}/kernel/planted.spec.ts`, code: `export const spec = true` },
  { file: `${SRC}/utils/planted.ts`, breaks: 'no-unresolvable', code: `export * from './not-there.js'` },
  {
    file: 'services/planted/src/path.ts',
    breaks: 'services-by-package-name',
    code: `export * from '../../../packages/shared/src/kernel/clock.js'`,
  },
  {
    file: 'services/planted/test/path.spec.ts',
    breaks: 'service-tests-by-package-name',
    code: `export * from '../../../packages/shared/src/kernel/clock.js'`,
  },
  {
    file: 'services/planted/src/deep.ts',
    breaks: 'no-unresolvable',
    code: `export * from '@vextrus/shared/dist/utils/index.js'`,
  },
  {
    file: 'services/planted/src/other.ts',
    breaks: 'services-apart',
    code: `export * from '../../neighbour/src/main.js'`,
  },
  { file: 'services/neighbour/src/main.ts', code: `export const neighbour = true` },
]

const breaking = PLANTED.filter(({ breaks }) => breaks)
const commentOf = (name) => config.forbidden.find((rule) => rule.name === name).comment

await main(async () => {
  // Services import the toolkit from its dist/; without one their imports can't be told from misspelt ones.
  if (!existsSync(join(root, 'packages/shared/dist'))) await build('packages/shared')
  await provePlantedAreFound()

  const { modules, violations } = await cruised(root)
  for (const { from, to, rule, cycle } of violations) {
    const way = cycle?.length ? cycle.map((step) => step.name).join(' → ') : to
    console.error(`${rule.name}: ${from} → ${way}\n  ${commentOf(rule.name)}`)
  }
  if (violations.length > 0) throw new Stop(`${violations.length} imports break the floors of ARCHITECTURE.md.`)
  const own = modules.filter((module) => module.source.startsWith(SRC)).length
  if (own < PLAUSIBLE_MODULES)
    throw new Stop(`Only ${own} modules were found in ${SRC}: the parser sees too little to judge.`)
  say(
    `floors: ${own} modules of the toolkit keep them, and each of the ${breaking.length} planted violations was found`,
  )
})

async function provePlantedAreFound() {
  const copy = mkdtempSync(join(tmpdir(), 'vextrus-floors-'))
  try {
    for (const part of [SRC, 'packages/shared/package.json', 'packages/shared/dist', 'package.json'])
      cpSync(join(root, part), join(copy, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    for (const { file, code } of PLANTED) {
      mkdirSync(dirname(join(copy, file)), { recursive: true })
      writeFileSync(join(copy, file), `${code}\n`)
    }
    const { violations } = await cruised(copy)
    const missed = breaking.filter(
      ({ file, breaks }) => !violations.some(({ from, rule }) => from === file && rule.name === breaks),
    )
    if (missed.length > 0)
      throw new Stop(
        `Planted violations were not found: ${missed.map(({ file, breaks }) => `${breaks} (${file})`).join(', ')}`,
      )
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

async function cruised(baseDir) {
  const { forbidden, options } = config
  const { output } = await cruise(
    FOLDERS.filter((folder) => existsSync(join(baseDir, folder))),
    {
      ...options,
      baseDir,
      validate: true,
      ruleSet: { forbidden },
      outputType: 'json',
    },
  )
  const { modules, summary } = typeof output === 'string' ? JSON.parse(output) : output
  return { modules, violations: summary.violations }
}
