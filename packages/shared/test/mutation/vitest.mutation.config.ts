import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'
import { type Edit, type Mutant, MUTANTS } from './mutants.js'

/** The configuration of the package's tests, with the mutant named by VEXTRUS_MUTANT in their source. Without it: none. */
const packageRoot = fileURLToPath(new URL('../..', import.meta.url))
const name = process.env['VEXTRUS_MUTANT']
const mutant: Mutant | undefined = MUTANTS.find((each) => each.name === name)
if (name !== undefined && mutant === undefined) throw new Error(`no mutant is called '${name}'`)

export default defineConfig({
  root: packageRoot,
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  plugins: mutant === undefined ? [] : [patched(mutant.edits)],
  test: {
    include: ['src/**/*.spec.ts', 'test/**/*.spec.ts'],
    pool: 'threads',
    maxWorkers: 1,
    // What a bug makes wait for ever must fail soon.
    testTimeout: 6_000,
  },
})

/** All edits are tried before anything runs: a source that has moved on is an error of this table, not a found bug. */
function patched(edits: readonly Edit[]): Plugin {
  const sources = new Map<string, string>()
  for (const { file, find, replace } of edits) {
    const path = join(packageRoot, 'src', file)
    const source = sources.get(path) ?? readFileSync(path, 'utf8')
    const found = source.split(find).length - 1
    if (found !== 1) throw new Error(`${file} has ${found} times, not once:\n${find}`)
    sources.set(
      path,
      source.replace(find, () => replace),
    )
  }
  return {
    name: 'mutant',
    enforce: 'pre',
    load: (id) => {
      const source = sources.get(id.split('?')[0]!)
      return source === undefined ? undefined : rehashed(source)
    },
  }
}

/** A changed script has another hash: the server would be sent the text again each time, and other things would happen than in earnest. */
function rehashed(source: string): string {
  return source.replace(/sha: '\w+',(\s+lua: `((?:[^`\\]|\\.)*)`)/g, (_, rest: string, text: string) => {
    const lua = text.replace(/\\(.)/gs, '$1')
    return `sha: '${createHash('sha1').update(lua).digest('hex')}',${rest}`
  })
}
