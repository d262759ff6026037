// The mutation gate: `npm run mutation` in packages/shared. Puts each known bug of mutants.ts back, two at a time, and demands that the test
// named with it fails; and that the same tests pass without any. `npm run mutation -- set` runs those with `set` in their name.
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
const DEADLINE_MS = 120_000

const { module } = await runnerImport(join(here, 'mutants.ts'))
const wanted = process.argv.slice(2).join(' ')
const mutants = module.MUTANTS.filter(({ name }) => name.includes(wanted))
const folder = mkdtempSync(join(tmpdir(), 'vextrus-mutation-'))
const started = performance.now()

try {
  const specs = [...new Set(mutants.map(({ killer }) => killer[0]))]
  const sound = { name: null, run: () => judgeSound(specs) }
  const jobs = [sound, ...mutants.map((mutant) => ({ name: mutant.name, run: () => judge(mutant) }))]
  const rows = await inTurns(jobs)
  report(rows)
  process.exitCode = mutants.length > 0 && rows.every(({ well }) => well) ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function inTurns(jobs) {
  const rows = []
  const next = async (from) => {
    for (let i = from; i < jobs.length; i += AT_ONCE) rows[i] = await jobs[i].run()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, (_, from) => next(from)))
  return rows
}

/** The sound source passes, and every killer names a test that there is. */
async function judgeSound(specs) {
  const killers = mutants.map(({ killer: [, test] }) => escaped(test)).join('|')
  const { tests, output, seconds } = await run(specs, ['-t', killers], undefined)
  const failed = tests.filter(({ status }) => status === 'failed')
  const nameless = mutants.filter(({ killer: [spec, test] }) => !tests.some((each) => isKiller(each, spec, test)))
  const passed = tests.filter(({ status }) => status === 'passed')
  const well = failed.length === 0 && nameless.length === 0
  const verdict = well
    ? `${passed.length} tests pass`
    : nameless.length > 0
      ? `no such test: ${nameless.map(({ killer }) => killer.join(' > ')).join('; ')}`
      : `fails: ${failed.map(({ fullName }) => fullName).join('; ') || output}`
  return { name: '(the source as it is)', rule: '', verdict, well, seconds }
}

async function judge({ name, rule, killer: [spec, test] }) {
  const { tests, output, seconds, timedOut } = await run([spec], ['-t', escaped(test)], name)
  const judged = tests.filter((each) => isKiller(each, spec, test))
  const killed = judged.some(({ status }) => status === 'failed')
  const survived = judged.length > 0 && judged.every(({ status }) => status === 'passed')
  const verdict = killed ? 'found' : survived ? 'SURVIVED' : timedOut ? 'BROKEN: no end' : `BROKEN: ${output}`
  return { name, rule, verdict, well: killed, seconds }
}

/** `-t` takes a pattern. */
function escaped(test) {
  return test.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function isKiller({ file, fullName, status }, spec, test) {
  return file.endsWith(spec) && fullName.includes(test) && (status === 'passed' || status === 'failed')
}

/** One run of vitest, told by its JSON report: what ends without one, or with a suite that could not be loaded, has judged nothing. */
async function run(specs, args, mutant) {
  const start = performance.now()
  const file = join(folder, `${Math.random()}.json`)
  const config = join(here, 'vitest.mutation.config.ts')
  const env = { ...process.env, VEXTRUS_SIMULATION: '1:250' }
  delete env.VEXTRUS_MUTANT
  if (mutant !== undefined) env.VEXTRUS_MUTANT = mutant
  const reporter = ['--reporter=json', `--outputFile.json=${file}`]
  const child = spawn(process.execPath, [vitest, 'run', '--config', config, ...reporter, ...specs, ...args], {
    cwd: packageRoot,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const collect = (chunk) => (output = (output + chunk).slice(0, 4_000))
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  let timedOut = false
  const deadline = setTimeout(() => {
    timedOut = true
    child.kill('SIGTERM')
  }, DEADLINE_MS)
  await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(deadline)
  const seconds = ((performance.now() - start) / 1_000).toFixed(1)
  const [why = 'no report'] = /^.*Error: [^]*?(?=\n\s+at |$)/m.exec(output) ?? [output.trim()]
  return { tests: testsOf(file), output: why.replaceAll('\n', ' | '), seconds, timedOut }
}

function testsOf(file) {
  let report
  try {
    report = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return []
    throw error
  }
  return report.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ fullName, status }) => ({ file: name.replaceAll('\\', '/'), fullName, status })),
  )
}

function report(rows) {
  const width = Math.max(...rows.map(({ name }) => name.length))
  for (const { name, rule, verdict, seconds } of rows) {
    console.log(`${rule.padEnd(4)} ${name.padEnd(width)}  ${`${seconds} s`.padStart(7)}  ${verdict}`)
  }
  const found = rows.slice(1).filter(({ well }) => well).length
  const total = ((performance.now() - started) / 1_000).toFixed(0)
  console.log(`${found} of ${rows.length - 1} bugs found in ${total} s`)
}
