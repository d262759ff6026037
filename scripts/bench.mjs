// `npm run bench -- cache [part]`, `npm run bench -- session jwt pubsub`: sets up bench/, builds the toolkit, and runs races, one after the other.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './lib/build.mjs'
import { main, must, root, run, Stop, timed } from './lib/run.mjs'
import { ensureDependencies, ensureRedisServer, npm } from './lib/setup.mjs'

const folder = join(root, 'bench')
const races = readdirSync(folder).flatMap((file) => (file.endsWith('.mjs') ? [file.slice(0, -'.mjs'.length)] : []))

await main(async () => {
  const given = process.argv.slice(2)
  const firstPart = given.findIndex((word) => !races.includes(word))
  const named = firstPart === -1 ? given : given.slice(0, firstPart)
  const parts = given.slice(named.length)
  if (named.length === 0) throw new Stop(`Name a race: npm run bench -- ${races.join(' | ')}`)
  await ensureDependencies()
  await ensureRedisServer()
  if (!isInstalled()) {
    await timed('npm ci in bench/', () => must('Installing the peers of bench/', npm, ['ci'], { cwd: folder }))
  }
  await build('packages/shared')
  for (const race of named) {
    process.exitCode = await run(process.execPath, [join(folder, `${race}.mjs`), ...parts])
    if (process.exitCode !== 0) return
  }
})

/** What npm notes of an installation is older than a lock file that names another peer. */
function isInstalled() {
  const noted = join(folder, 'node_modules', '.package-lock.json')
  return existsSync(noted) && statSync(noted).mtimeMs >= statSync(join(folder, 'package-lock.json')).mtimeMs
}
