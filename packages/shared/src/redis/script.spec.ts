import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { command, defineScript, type Script, scriptCommand } from './script.js'
import { SCRIPTS } from './scripts.gen.js'

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex')

describe('a script', () => {
  it('is known by the hash of its text', () => {
    expect(defineScript('one', 'return 1')).toEqual({ name: 'one', lua: 'return 1', sha: sha1('return 1') })
  })

  it('is called with its keys first', () => {
    const script = defineScript('one', 'return 1')
    expect(scriptCommand(script, ['k', 'l'], [1, 'a'], { binary: true })).toEqual({
      name: 'EVALSHA',
      args: ['k', 'l', 1, 'a'],
      binary: true,
      script,
      keyCount: 2,
    })
    expect(command('GET', ['a'])).toEqual({ name: 'GET', args: ['a'], binary: false })
  })

  it('of the toolkit has the hash that the server will compute', () => {
    const scripts = Object.entries<Script>(SCRIPTS)
    expect(scripts.length).toBeGreaterThan(0)
    for (const [name, script] of scripts) {
      expect(script.name).toBe(name)
      expect(script.sha).toBe(sha1(script.lua))
    }
  })
})

describe('the generator of scripts', () => {
  let root: string
  const lua = (text: string): void => writeFileSync(join(root, 'packages/shared/src/rate-limit/lua/take-one.lua'), text)
  const run = (...args: string[]): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, [join(root, 'scripts/generate-scripts.mjs'), ...args], { encoding: 'utf8' })
  const written = (): string => readFileSync(join(root, 'packages/shared/src/redis/scripts.gen.ts'), 'utf8')

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'vextrus-scripts-'))
    for (const folder of ['scripts', 'packages/shared/src/redis', 'packages/shared/src/rate-limit/lua']) {
      mkdirSync(join(root, folder), { recursive: true })
    }
    cpSync(
      join(import.meta.dirname, '../../../../scripts/generate-scripts.mjs'),
      join(root, 'scripts/generate-scripts.mjs'),
    )
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  it('writes every script under the name of its folder and file, without comments', () => {
    lua(`-- KEYS[1] what\n--[[ a long\n comment ]]\n\nlocal s = 'a -- b' -- tail\nreturn "\\"--" .. s .. [[--]]\n`)
    expect(run().status).toBe(0)
    const text = `local s = 'a -- b'\nreturn "\\"--" .. s .. [[--]]`
    expect(written()).toContain(`rateLimitTakeOne: {\n    name: 'rateLimitTakeOne',\n    sha: '${sha1(text)}',`)
    expect(written()).toContain(text.replace('\\', '\\\\'))
    expect(written()).not.toMatch(/KEYS|a long|tail/)
  })

  it('tells when the file on disk is another, and says what to run', () => {
    lua('return 1')
    expect(run('--check')).toMatchObject({ status: 1, stderr: expect.stringContaining('npm run scripts:gen') })
    run()
    expect(run('--check').status).toBe(0)
    lua('return 2')
    expect(run('--check').status).toBe(1)
  })
})
