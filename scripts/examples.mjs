// `npm run examples`: type-checks the examples of the documentation against dist/. An example is a fenced block that begins "```ts example".
// What it needs and a reader does not (a repository, an entity) stands before it in an HTML comment that begins "<!-- example".
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, tsc } from './lib/build.mjs'
import { capture, main, root, say, Stop } from './lib/run.mjs'

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
  const examples = markdownFiles().flatMap(examplesOf)
  if (examples.length === 0) throw new Stop('No example was found in the documentation.')

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
  say(`examples: ${examples.length} of ${new Set(examples.map(({ file }) => file)).size} pages compile`)
})

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

function markdownFiles() {
  return PLACES.flatMap((place) => {
    if (!existsSync(join(root, place))) return []
    const names = readdirSync(join(root, place), { recursive: place !== '.' })
    return names
      .filter((name) => name.endsWith('.md') && !/(^|[/\\])(node_modules|dist)[/\\]/.test(name))
      .map((name) => join(place, name))
  })
}
