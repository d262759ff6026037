// `npm run bench -- cache [part]`: sets up bench/, builds the toolkit, and runs one race.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './lib/build.mjs'
import { main, must, root, run, Stop, timed } from './lib/run.mjs'
import { ensureDependencies, ensureRedisServer, npm } from './lib/setup.mjs'

const folder = join(root, 'bench')
const races = readdirSync(folder).flatMap((file) => (file.endsWith('.mjs') ? [file.slice(0, -'.mjs'.length)] : []))

await main(async () => {
  const [race, ...rest] = process.argv.slice(2)
  if (!races.includes(race)) throw new Stop(`Name a race: npm run bench -- ${races.join(' | ')}`)
  await ensureDependencies()
  await ensureRedisServer()
  if (!existsSync(join(folder, 'node_modules'))) {
    await timed('npm ci in bench/', () => must('Installing the peers of bench/', npm, ['ci'], { cwd: folder }))
  }
  await build('packages/shared')
  process.exitCode = await run(process.execPath, [join(folder, `${race}.mjs`), ...rest])
})
