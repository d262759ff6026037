// Compiles packages with the workspace's own TypeScript.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { must, root, Stop, timed } from './run.mjs'

/** Dependencies bring older compilers of their own: this is always the root's. */
export const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')

/** What the services import from its dist/, in the order in which it is built. */
export const libraries = ['packages/shared', 'services/service-kit']

/** The folders of the services that have something to build. */
export function services() {
  const folder = join(root, 'services')
  return !existsSync(folder)
    ? []
    : readdirSync(folder)
        .sort()
        .filter((name) => existsSync(join(folder, name, 'tsconfig.build.json')))
        .map((name) => `services/${name}`)
        .filter((service) => !libraries.includes(service))
}

/** Runs the root's compiler; its messages are shown when it fails. */
export function compile(what, ...args) {
  return must(what, process.execPath, [tsc, ...args])
}

/** Builds one package from nothing into its dist/. */
export async function build(folder) {
  rmSync(join(root, folder, 'dist'), { recursive: true, force: true })
  await timed(`build ${folder}`, () => compile(`Building ${folder}`, '-p', `${folder}/tsconfig.build.json`))
  // A tsconfig whose "include" matches another place compiles without a word.
  if (!existsSync(join(root, folder, 'dist')))
    throw new Stop(`Building ${folder} wrote no dist/: see its tsconfig.build.json.`)
}
