// Loads every subpath of @vextrus/shared as a user's program does, each in a process of its own.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { capture, root, Stop } from './run.mjs'

/** The manifest of the published package. */
export const manifest = JSON.parse(readFileSync(join(root, 'packages/shared/package.json'), 'utf8'))

/** `@vextrus/shared`, `@vextrus/shared/cache` … : what `exports` offers to code. */
export const subpaths = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => `${manifest.name}${path.slice(1)}`)

/**
 * Imports and requires each subpath from `folder`. A process each, because the order in which modules are initialised depends on where one
 * enters: a circle that is harmless behind one subpath crashes behind another.
 */
export async function loadSubpaths(folder, node = process.execPath) {
  await Promise.all(
    subpaths.map(async (subpath) => {
      const load = JSON.stringify(subpath)
      const imported = await namesOf(folder, node, subpath, 'module', `import(${load})`)
      const required = await namesOf(folder, node, subpath, 'commonjs', `Promise.resolve(require(${load}))`)
      if (imported.length === 0) throw new Stop(`${subpath} exports nothing.`)
      if (imported.join() !== required.join())
        throw new Stop(`${subpath} offers import and require different names:\n${imported}\n${required}`)
    }),
  )
}

async function namesOf(folder, node, subpath, type, load) {
  const code = `${load}.then((names) => console.log(JSON.stringify(Object.keys(names).filter((name) => name !== '__esModule'))))`
  const { code: exitCode, output } = await capture(node, [`--input-type=${type}`, '-e', code], {
    cwd: folder,
  })
  const last = output.trim().split('\n').at(-1) ?? ''
  if (exitCode !== 0 || !last.startsWith('[')) throw new Stop(`${subpath} can't be loaded as ${type}:\n${output}`)
  return JSON.parse(last).sort()
}
