// `npm run chaos -- --numbers 20000 --seed 7 --topology all`: builds the toolkit, and lets processes write under its locks while all kinds of
// things befall them (packages/shared/test/chaos).
import { join } from 'node:path'
import { build } from './lib/build.mjs'
import { main, root, run } from './lib/run.mjs'
import { ensureDependencies, ensureRedisServer } from './lib/setup.mjs'

await main(async () => {
  await ensureDependencies()
  await ensureRedisServer()
  await build('packages/shared')
  const chaos = join(root, 'packages', 'shared', 'test', 'chaos', 'main.mjs')
  process.exitCode = await run(process.execPath, [chaos, ...process.argv.slice(2)])
})
