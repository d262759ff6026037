import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import type { Edit } from './mutant.js'
import { MUTANTS } from './mutants.js'

/**
 * One project for each mutant named by VEXTRUS_MUTANTS, with its edits in the source and only its killer run; and one more, without a name, of
 * the sound source with all of their killers. All killers are of one file. One process for many, for most of the time goes into starting one.
 */
const packageRoot = fileURLToPath(new URL('../..', import.meta.url))
const names = JSON.parse(process.env['VEXTRUS_MUTANTS'] ?? '[]') as string[]
const mutants = names.map((name) => {
  const mutant = MUTANTS.find((each) => each.name === name)
  if (mutant === undefined) throw new Error(`no mutant is called '${name}'`)
  return mutant
})

export default defineConfig({
  root: packageRoot,
  test: {
    projects: [
      project(
        'sound',
        [],
        mutants.map(({ killer: [spec] }) => spec),
        mutants.map(({ killer: [, test] }) => test),
      ),
      ...mutants.map(({ name, edits, killer: [spec, test] }) => project(name, edits, [spec], [test])),
    ],
    reporters: [join(packageRoot, 'test/mutation/reporter.mjs')],
    pool: 'threads',
    maxWorkers: 1,
  },
})

function project(
  name: string,
  edits: readonly Edit[],
  specs: readonly string[],
  tests: readonly string[],
): TestProjectInlineConfiguration {
  return {
    root: packageRoot,
    oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
    plugins: edits.length === 0 ? [] : [patched(edits)],
    test: {
      name,
      include: [...new Set(specs)],
      setupFiles: [join(packageRoot, 'test/mutation/only-killers.ts')],
      provide: { killers: [...tests] },
      pool: 'threads',
      // What a bug makes wait for ever must fail soon.
      testTimeout: 6_000,
    },
  }
}

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

declare module 'vitest' {
  interface ProvidedContext {
    /** Parts of the full names of the tests that are run. */
    killers: string[]
  }
}
