// `npm run examples`: type-checks the examples of the documentation against dist/, and looks after its links and its table of errors.
// An example is a fenced block that begins "```ts example". What it needs and a reader does not (a repository, an entity) stands before it in
// an HTML comment that begins "<!-- example".
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { build, tsc } from './lib/build.mjs'
import { capture, main, root, say, Stop } from './lib/run.mjs'
import { subpaths } from './lib/subpaths.mjs'

const PLACES = ['.', 'docs', 'packages', 'services']
const BLOCK = /(?:^<!-- example\n(?<setup>[\s\S]*?)^-->\n\s*)?^```ts example\n(?<code>[\s\S]*?)^```$/gm

/** If the package's types could not be found, all would be `any` and every example fine. */
const PLANTED = `import { RedisCacheService } from '@vextrus/shared'
declare const cache: RedisCacheService
// @ts-expect-error: a key is a string
void cache.get(42)
export {}
`

await main(async () => {
  if (!existsSync(join(root, 'packages/shared/dist'))) await build('packages/shared')
  const pages = markdownFiles()
  const broken = pages.flatMap(brokenLinksOf)
  if (broken.length > 0) throw new Stop(`Links of the documentation lead nowhere: ${broken.join(', ')}`)
  await expectErrorsInTable()
  const examples = pages.flatMap(examplesOf)
  if (examples.length === 0) throw new Stop('No example was found in the documentation.')
  await compileAll(examples)
  say(`examples: ${examples.length} of ${new Set(examples.map(({ file }) => file)).size} pages compile`)
})

async function compileAll(examples) {
  const folder = mkdtempSync(join(tmpdir(), 'vextrus-examples-'))
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig()))
    writeFileSync(join(folder, 'planted.ts'), PLANTED)
    examples.forEach(({ code }, at) => writeFileSync(join(folder, `example-${at}.ts`), code))
    const { code, output } = await capture(process.execPath, [tsc, '-p', '.', '--pretty', 'false'], { cwd: folder })
    const messages = output.replace(
      /example-(\d+)\.ts\((\d+),(\d+)\)/g,
      (_, at, line, column) => `${examples[at].file}:${line}:${column}`,
    )
    if (code !== 0) throw new Stop(`Examples of the documentation do not compile:\n${messages}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function tsconfig() {
  const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.base.json'), 'utf8'))
  return {
    compilerOptions: { ...compilerOptions, noEmit: true, noUnusedLocals: false, noUnusedParameters: false },
    include: ['*.ts'],
  }
}

/** Blank lines keep the line numbers of the page, so that a message of the compiler points into it. */
function examplesOf(file) {
  const page = readFileSync(join(root, file), 'utf8')
  return [...page.matchAll(BLOCK)].map(({ index, groups, 0: text }) => {
    const blank = (until, from = 0) => '\n'.repeat(page.slice(from, until).split('\n').length - 1)
    const codeAt = index + text.lastIndexOf('```ts example\n') + '```ts example\n'.length
    const setupAt = index + '<!-- example\n'.length
    const setup = groups.setup ?? ''
    const before = setup === '' ? '' : blank(setupAt) + setup
    return {
      file,
      code: `${before}${blank(codeAt, setup === '' ? 0 : setupAt + setup.length)}${groups.code}\nexport {}\n`,
    }
  })
}

/** Links to files of the repository that are not there. */
function brokenLinksOf(file) {
  const page = readFileSync(join(root, file), 'utf8').replace(/^```[\s\S]*?^```$/gm, '')
  return [...page.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)]
    .filter(([, link]) => !existsSync(join(root, dirname(file), link)))
    .map(([, link]) => `${link} in ${file}`)
}

/** Every error class that a user can catch has a row with its code. */
async function expectErrorsInTable() {
  const table = readFileSync(join(root, 'docs/errors.md'), 'utf8')
  const offered = (await Promise.all(subpaths.map((subpath) => import(subpath)))).flatMap((names) =>
    Object.values(names),
  )
  const errors = new Set(offered.filter((value) => typeof value === 'function' && value.prototype instanceof Error))
  const missing = [...errors].filter(({ name }) => name !== 'VextrusError' && !table.includes(`\`${name}\``))
  if (errors.size === 0) throw new Stop('No error class is exported: docs/errors.md can not be compared.')
  if (missing.length > 0) throw new Stop(`docs/errors.md has no row for ${missing.map(({ name }) => name).join(', ')}.`)
}

function markdownFiles() {
  return PLACES.flatMap((place) => {
    if (!existsSync(join(root, place))) return []
    const names = readdirSync(join(root, place), { recursive: place !== '.' })
    return names
      .filter((name) => name.endsWith('.md') && !/(^|[/\\])(node_modules|dist)[/\\]/.test(name))
      .map((name) => join(place, name))
  })
}
