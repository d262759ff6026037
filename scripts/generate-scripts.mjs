// Writes packages/shared/src/redis/scripts.gen.ts from every packages/shared/src/<capability>/lua/<verb>.lua: tsc copies no .lua files.
// A line `-- include <file>` of a script stands for `lua/include/<file>` of its folder: Redis has no modules.
// `--check` writes nothing and exits with 1 when the file on disk is not what would be written.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = join(dirname(fileURLToPath(import.meta.url)), '..', 'packages', 'shared', 'src')
const target = join(source, 'redis', 'scripts.gen.ts')

const generated = render(luaFiles())
if (process.argv.includes('--check')) {
  if (!existsSync(target) || readFileSync(target, 'utf8') !== generated) {
    console.error('packages/shared/src/redis/scripts.gen.ts is not what the .lua files make: run `npm run scripts:gen`')
    process.exitCode = 1
  }
} else {
  writeFileSync(target, generated)
}

function luaFiles() {
  return readdirSync(source)
    .sort()
    .flatMap((capability) => {
      const folder = join(source, capability, 'lua')
      const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.lua')) : []
      return files.sort().map((file) => ({
        name: camelCase(`${capability}-${file.slice(0, -'.lua'.length)}`),
        path: `${capability}/lua/${file}`,
        lua: withoutComments(withIncludes(folder, file)),
      }))
    })
}

function withIncludes(folder, file) {
  const text = readFileSync(join(folder, file), 'utf8')
  return text.replace(/^-- include (\S+)$/gm, (_, included) => readFileSync(join(folder, 'include', included), 'utf8'))
}

function render(scripts) {
  const entries = scripts.map(({ name, path, lua }) => {
    const sha = createHash('sha1').update(lua).digest('hex')
    const text = lua.replace(/[\\`]|\$\{/g, '\\$&')
    return `  /** ${path} */\n  ${name}: {\n    name: '${name}',\n    sha: '${sha}',\n    lua: \`${text}\`,\n  },\n`
  })
  return `// Generated from the .lua files by \`npm run scripts:gen\`. Change those, not this.
import type { Script } from './script.js'

/** Every script of the toolkit, as it is sent: without comments and blank lines. */
export const SCRIPTS = {${entries.length > 0 ? '\n' : ''}${entries.join('')}} satisfies Record<string, Script>
`
}

function camelCase(name) {
  return name.replace(/-(.)/g, (_, letter) => letter.toUpperCase())
}

/** Strings are kept whole: `--` inside one starts no comment. */
function withoutComments(lua) {
  const token = /--\[\[[\s\S]*?\]\]|--[^\n]*|'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"|\[\[[\s\S]*?\]\]/g
  return lua
    .replace(token, (text) => (text.startsWith('--') ? '' : text))
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .join('\n')
}
