// `npm run types`: type-checks everything, tests included, with the workspace's own TypeScript; then the type tests of packages/shared, which
// see the package as its users do, through dist/.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { build, compile, libraries, services } from './lib/build.mjs'
import { main, root, Stop, timed } from './lib/run.mjs'

const TYPE_TESTS = 'packages/shared/test/types'

await main(async () => {
  for (const folder of libraries) if (!existsSync(join(root, folder, 'dist'))) await build(folder)
  const files = readdirSync(join(root, TYPE_TESTS)).filter((file) => file.endsWith('.ts'))
  if (files.length === 0) throw new Stop(`There are no type tests in ${TYPE_TESTS}.`)
  for (const folder of ['.', ...libraries, TYPE_TESTS, ...services()])
    await timed(`type-check ${folder}`, () => compile(`Type-checking ${folder}`, '-p', folder, '--noEmit'))
})
