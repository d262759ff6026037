// The mutation gate: `npm run mutation` in packages/shared. Puts each known bug of mutants.ts back and demands that the test named with it
// fails; and that the same tests pass without any. `npm run mutation -- set` runs those with `set` in their name.
// One process for all bugs that are found by tests of one file, two processes at a time.
// Exits with 1 when a bug survives, when a run broke before its test could judge, or when the sound source fails.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const here = dirname(fileURLToPath(import.meta.url))
const packageRoot = join(here, '..', '..')
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const AT_ONCE = 2
/** A process that has ended for good is told by its report; this ends one in which a bug runs for ever. */
const DEADLINE_MS = 120_000
const MOST_IN_ONE = 16

const { module } = await runnerImport(join(here, 'mutants.ts'))
const wanted = process.argv.slice(2).join(' ')
const mutants = module.MUTANTS.filter(({ name }) => name.includes(wanted))
const folder = mkdtempSync(join(tmpdir(), 'vextrus-mutation-'))
const started = performance.now()

try {
  const rows = await inTurns(groupsOf(mutants))
  report(rows)
  process.exitCode = mutants.length > 0 && rows.every(({ well }) => well) ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Mutants with killers in one file, the largest groups first. */
function groupsOf(all) {
  const bySpec = new Map()
  for (const mutant of all) {
    const [spec] = mutant.killer
    bySpec.set(spec, [...(bySpec.get(spec) ?? []), mutant])
  }
  return [...bySpec.values()].flatMap(chunks).sort((one, other) => other.length - one.length)
}

function chunks(list) {
  const many = Math.ceil(list.length / MOST_IN_ONE)
  const size = Math.ceil(list.length / many)
  return Array.from({ length: many }, (_, i) => list.slice(i * size, (i + 1) * size))
}

async function inTurns(groups) {
  const rows = []
  const queue = [...groups]
  const next = async () => {
    for (let group = queue.shift(); group !== undefined; group = queue.shift()) rows.push(...(await judge(group)))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, next))
  return rows
}

async function judge(group) {
  const { tests, errors, output, seconds } = await run(group)
  const of = (name) => tests.filter(({ project, state }) => project === name && state !== 'skipped')
  const why = (name) => errors.find(({ project }) => project === name)?.message ?? errors[0]?.message ?? output
  const rows = group.map(({ name, rule, killer: [spec, test] }) => {
    const judged = of(name).filter((each) => each.name.includes(test))
    const killed = judged.some(({ state }) => state === 'failed')
    const survived = judged.length > 0 && judged.every(({ state }) => state === 'passed')
    const sound = of('sound').some((each) => each.name.includes(test) && each.state === 'passed')
    const verdict = !sound
      ? `BROKEN: ${errors[0]?.message ?? output}; or the sound source has no such test that passes: ${spec} > ${test}`
      : killed
        ? 'found'
        : survived
          ? 'SURVIVED'
          : `BROKEN: ${why(name)}`
    return { name, rule, verdict, well: sound && killed }
  })
  const failed = of('sound').filter(({ state }) => state === 'failed')
  const verdict =
    failed.length > 0 ? `FAILS: ${failed.map(({ name, error }) => `${name} (${error})`).join('; ')}` : `${seconds} s`
  return [{ name: group[0].killer[0], rule: '', verdict, well: failed.length === 0 }, ...rows]
}

/** One run of vitest. What ends without a report has judged nothing. */
async function run(group) {
  const start = performance.now()
  const file = join(folder, `${Math.random()}.json`)
  const child = spawn(process.execPath, [vitest, 'run', '--config', join(here, 'vitest.mutation.config.ts')], {
    cwd: packageRoot,
    env: {
      ...process.env,
      VEXTRUS_SIMULATION: '1:250',
      VEXTRUS_MUTANTS: JSON.stringify(group.map(({ name }) => name)),
      VEXTRUS_REPORT: file,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const collect = (chunk) => (output = (output + chunk).slice(0, 4_000))
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const deadline = setTimeout(() => child.kill('SIGTERM'), DEADLINE_MS)
  await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(deadline)
  const seconds = ((performance.now() - start) / 1_000).toFixed(1)
  const [why = output.trim() || 'no report: perhaps a bug of this list runs for ever'] =
    /^.*Error: [^]*?(?=\n\s+at |$)/m.exec(output) ?? []
  return { ...reportOf(file), output: why.replaceAll('\n', ' | '), seconds }
}

function reportOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return { tests: [], errors: [] }
    throw error
  }
}

function report(rows) {
  for (const { name, rule, verdict } of rows) console.log(`${rule.padEnd(4)} ${name.padEnd(64)} ${verdict}`)
  const bugs = rows.filter(({ rule }) => rule !== '')
  const total = ((performance.now() - started) / 1_000).toFixed(0)
  console.log(`${bugs.filter(({ well }) => well).length} of ${bugs.length} bugs found in ${total} s`)
}
