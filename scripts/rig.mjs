// `npm run rig -- --seconds 600 --seed 7 --topology all`: builds the toolkit, and races processes on real servers (packages/shared/test/rig).
import { join } from 'node:path'
import { build } from './lib/build.mjs'
import { main, root, run } from './lib/run.mjs'
import { ensureDependencies, ensureRedisServer } from './lib/setup.mjs'

await main(async () => {
  await ensureDependencies()
  await ensureRedisServer()
  await build('packages/shared')
  const rig = join(root, 'packages', 'shared', 'test', 'rig', 'main.mjs')
  process.exitCode = await run(process.execPath, [rig, ...process.argv.slice(2)])
})
