// What .ci/run runs: every check of the project, none hidden by another's failure. Ends with the seconds of each step, the tests that failed and, alone on the last
// line, `N passed, N failed`: the tests' counts, and one more failure for each other step that failed.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { capture, main, root, say, secondsSince } from './lib/run.mjs'
import { ensureDependencies, ensureRedisServer, npm } from './lib/setup.mjs'
import { closingLine, FAILURE_MARK } from './lib/vitest-summary.mjs'

const node = process.execPath
const steps = []

await main(runAll, () => console.log(closingLine({ passed: 0, failed: 1 })))

async function runAll() {
  const start = performance.now()
  const scratch = mkdtempSync(join(tmpdir(), 'vextrus-ci-'))
  const tarball = join(scratch, 'shared.tgz')
  try {
    await ensureDependencies()
    await ensureRedisServer()
    // Short ones first: they tell soonest, and they need dist/, which `npm test` builds anew.
    await step('generated scripts', node, 'scripts/generate-scripts.mjs', '--check')
    await step('build', node, 'scripts/build.mjs')
    // One core for half a minute: the other one has the next ones meanwhile. All of them only read.
    const format = step('format', npm, 'run', '--silent', 'format:check')
    await step('lint', npm, 'run', '--silent', 'lint')
    await step('floors', node, 'scripts/floors.mjs')
    await step('types', node, 'scripts/types.mjs')
    await step('one nest', node, 'scripts/one-nest.mjs')
    await format
    await step('smoke', node, 'scripts/smoke.mjs')
    await step('examples', node, 'scripts/examples.mjs')
    await step('start', node, 'scripts/start-check.mjs')
    await step('pack', node, 'scripts/tarball.mjs', '--pack-only', tarball)
    // Mostly waiting for npm; at the lowest priority it takes from the tests only what they leave.
    const packed = step(
      'tarball: nest 12, nest 11, jest, node 24',
      'nice',
      '-n',
      '19',
      node,
      'scripts/tarball.mjs',
      '--packed',
      tarball,
    )
    const counts = await tests()
    await packed

    const failedSteps = steps.filter(({ ok }) => !ok)
    for (const { name, ok, seconds } of steps)
      console.log(`${ok ? 'ok    ' : 'FAILED'} ${seconds.padStart(8)}  ${name}`)
    console.log(`total  ${secondsSince(start).padStart(8)}`)
    for (const line of counts.failures) console.log(line)
    const closing = {
      passed: counts.passed,
      failed: counts.failed + failedSteps.filter(({ counted }) => !counted).length,
    }
    console.log(closingLine(closing))
    process.exitCode = closing.failed > 0 ? 1 : 0
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Runs a check with its output kept apart: it is shown, as one piece, when the check fails. */
async function step(name, program, ...args) {
  const start = performance.now()
  const { code, output } = await capture(program, args)
  const seconds = secondsSince(start)
  steps.push({ name, ok: code === 0, seconds })
  say(`${code === 0 ? '✔' : '✖'} ${name}: ${seconds}`)
  if (code !== 0) process.stderr.write(`${output}\n✖ ${name} failed with exit code ${code}; its output is above.\n`)
}

/** `npm test`, live. Its closing line carries the counts. */
async function tests() {
  const start = performance.now()
  const { code, lastLines } = await live(npm, ['test'])
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/.exec(lastLines.at(-1)) ?? []
  const counts = {
    passed: Number(passed ?? 0),
    failed: Number(failed ?? 0),
    failures: lastLines.filter((line) => line.startsWith(FAILURE_MARK)),
  }
  if (code !== 0 && counts.failed === 0) counts.failed = 1
  if (passed === undefined) {
    say('npm test did not end with its counts')
    counts.failed = Math.max(counts.failed, 1)
  }
  steps.push({ name: 'npm test', ok: code === 0 && counts.failed === 0, seconds: secondsSince(start), counted: true })
  return counts
}

function live(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.setEncoding('utf8')
    child.stdout.on('data', (text) => {
      process.stdout.write(text)
      output = (output + text).slice(-20_000)
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 128, lastLines: output.trimEnd().split('\n') }))
  })
}
