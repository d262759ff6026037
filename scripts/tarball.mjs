// Packs packages/shared and uses the tarball as its users will: under Nest 12 as ESM without a Redis client, and under Nest 11 as CommonJS
// with ioredis 5, a real Redis, Jest 30 and an older TypeScript; the former once more on Node 24. `--pack-only FILE` and `--packed FILE` split the work in two, so that a
// later build of dist/ does not pull the package away under it.
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { compile } from './lib/build.mjs'
import { startRedis } from './lib/redis.mjs'
import { capture, main, must, root, say, Stop, timed } from './lib/run.mjs'
import { ensureRedisServer, npm } from './lib/setup.mjs'
import { loadSubpaths, manifest } from './lib/subpaths.mjs'

const fixtures = join(root, 'scripts/fixtures')
const { values } = parseArgs({ options: { 'pack-only': { type: 'string' }, packed: { type: 'string' } } })

await main(async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'vextrus-tarball-'))
  try {
    const tarball = values.packed ? resolve(values.packed) : await pack(scratch)
    if (values['pack-only']) return cpSync(tarball, values['pack-only'])
    await ensureRedisServer()
    await Promise.all([underNest12(scratch, tarball), underNest11(scratch, tarball)])
    say('tarball: every subpath loads and works under Nest 12 and Nest 11, and under Jest')
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
})

async function pack(folder) {
  const output = await must('npm pack', npm, ['pack', '--json', '--loglevel=error', '--pack-destination', folder], {
    cwd: join(root, 'packages/shared'),
  })
  const [{ filename, files, size }] = JSON.parse(output.slice(output.indexOf('[')))
  const packed = new Set(files.map(({ path }) => `./${path}`))
  const promised = [
    './README.md',
    './LICENSE',
    ...Object.values(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? [target] : Object.values(target),
    ),
    ...Object.values(manifest.typesVersions['*']).flat(),
    manifest.types,
  ]
  const missing = promised.filter((path) => !packed.has(path))
  if (missing.length > 0)
    throw new Stop(`The package promises files that are not in it: ${missing.join(', ')}. Was it built?`)
  const strays = [...packed].filter((path) => /[.]spec[.]|tsbuildinfo|^[.][/](src|test)[/]/.test(path))
  if (strays.length > 0) throw new Stop(`Files that no user needs are in the package: ${strays.join(', ')}`)
  say(`packed ${packed.size} files, ${Math.ceil(size / 1_024)} KiB`)
  return join(folder, filename)
}

async function underNest12(scratch, tarball) {
  const folder = await install('nest-12', scratch, tarball)
  await timed('Nest 12: load, compile, run', async () => {
    await loadSubpaths(folder)
    await compileAndRun(folder)
    await expectNamedPeer(folder)
  })
  await timed('Nest 12 on Node 24: load, run', async () => {
    const output = await must(
      'Fetching Node 24',
      'npx',
      ['-y', '--loglevel=error', '-p', 'node@24', 'node', '-p', 'process.execPath'],
      { cwd: folder },
    )
    const node24 = output.trim().split('\n').at(-1)
    await loadSubpaths(folder, node24)
    await runApplication(folder, node24)
  })
}

async function underNest11(scratch, tarball) {
  const folder = await install('nest-11', scratch, tarball)
  await timed('Nest 11: load, compile, run, on memory and on Redis with ioredis 5', async () => {
    await loadSubpaths(folder)
    await compileAndRun(folder)
    const redis = await startRedis()
    try {
      await must('The Nest 11 application on Redis', process.execPath, ['out/consumer.js'], {
        cwd: folder,
        env: { REDIS_URL: redis.url },
      })
    } finally {
      await redis.stop()
    }
  })
  // The root's TypeScript has no `node10` resolution any more; those who have it bring an older one, which reads `typesVersions`.
  await timed('Nest 11: types under node10 resolution', () =>
    must(
      'Type-checking with node10 resolution',
      process.execPath,
      ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.node10.json'],
      {
        cwd: folder,
      },
    ),
  )
  await timed('Nest 11: Jest', async () => {
    const output = await must('Jest', process.execPath, ['node_modules/jest/bin/jest.js', '--runInBand'], {
      cwd: folder,
    })
    if (!/Tests: +2 passed, 2 total/.test(output))
      throw new Stop(`Jest did not run the fixture's two tests:\n${output}`)
  })
}

/** A user's project outside the workspace, so that nothing resolves to the workspace's own node_modules. */
async function install(name, scratch, tarball) {
  const folder = join(scratch, name)
  cpSync(join(fixtures, name), folder, { recursive: true })
  mkdirSync(join(folder, 'src'), { recursive: true })
  cpSync(join(fixtures, 'consumer.ts'), join(folder, 'src/consumer.ts'))
  const args = ['install', tarball, '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  await timed(`${name}: npm install`, () => must(`npm install in ${name}`, npm, args, { cwd: folder }))
  const copies = ['@nestjs/common', '@nestjs/core', 'rxjs'].filter((peer) =>
    existsSync(join(folder, 'node_modules/@vextrus/shared/node_modules', peer)),
  )
  if (copies.length > 0) throw new Stop(`${name}: the package brought its own ${copies.join(', ')}.`)
  return folder
}

async function compileAndRun(folder) {
  await compile(`Compiling the application of ${folder}`, '-p', folder)
  await runApplication(folder, process.execPath)
}

async function runApplication(folder, node) {
  const output = await must(`The application of ${folder}`, node, ['out/consumer.js'], { cwd: folder })
  if (!output.includes('consumer: ok')) throw new Stop(`The application of ${folder} ended before its end:\n${output}`)
}

/** There is no ioredis in the Nest 12 project: whoever asks for Redis is told what to install. */
async function expectNamedPeer(folder) {
  const { code, output } = await capture(process.execPath, ['out/consumer.js'], {
    cwd: folder,
    env: { REDIS_URL: 'redis://127.0.0.1:1' },
  })
  if (code === 0 || !output.includes('npm install ioredis'))
    throw new Stop(`Without ioredis the error has to say "npm install ioredis". Exit code ${code}:\n${output}`)
}
