import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Edit } from '../mutation/mutant.js'

const packageRoot = fileURLToPath(new URL('../..', import.meta.url))

/** The toolkit compiled from its source with some edits, in a folder of its own: what a race without one of the rules runs on. */
export interface AnotherBuild {
  /** For {@link RaceOptions.dist}. */
  readonly dist: string
  remove(): void
}

/** @throws Error an edit does not fit the source any more, or it can't be compiled */
export async function buildWith(edits: readonly Edit[]): Promise<AnotherBuild> {
  const folder = mkdtempSync(join(tmpdir(), 'vextrus-build-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const dist = join(folder, 'dist')
    cpSync(join(packageRoot, 'src'), join(folder, 'src'), { recursive: true })
    // The same packages as everybody's: a second copy of Nest would be another Nest.
    symlinkSync(join(packageRoot, '..', '..', 'node_modules'), join(folder, 'node_modules'))
    cpSync(join(packageRoot, 'package.json'), join(folder, 'package.json'))
    for (const { file, find, replace } of edits) change(join(folder, 'src', file), find, replace)
    const compilerOptions = { rootDir: 'src', outDir: 'dist', noUnusedLocals: false, noUnusedParameters: false }
    const base = join(packageRoot, '..', '..', 'tsconfig.base.json')
    const exclude = ['src/**/*.spec.ts']
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: base, compilerOptions, include: ['src'], exclude }),
    )
    // What it says of types is of no interest: a missing rule may leave a variable that is never undefined.
    const told = await compile(folder)
    if (!existsSync(join(dist, 'module', 'cache-entry.js'))) throw new Error(`it was not compiled:\n${told}`)
    return { dist, remove }
  } catch (error) {
    remove()
    throw error
  }
}

function change(file: string, find: string, replace: string): void {
  const source = readFileSync(file, 'utf8')
  const found = source.split(find).length - 1
  if (found !== 1) throw new Error(`${file} has ${found} times, not once:\n${find}`)
  writeFileSync(
    file,
    source.replace(find, () => replace),
  )
}

async function compile(folder: string): Promise<string> {
  const typescript = createRequire(import.meta.url).resolve('typescript/package.json')
  const child = spawn(process.execPath, [join(dirname(typescript), 'bin', 'tsc'), '-p', folder])
  let told = ''
  child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()))
  await new Promise((resolve) => child.once('close', resolve))
  return told
}
