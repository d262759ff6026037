// `npm test`: sets up what is missing, then runs every test of the toolkit and the services. Arguments go to vitest:
// `npm test -- packages/shared/src/kernel -t 'duration'`. The last line is `N passed, N failed`.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, libraries } from './lib/build.mjs'
import { main, root, run, say, secondsSince } from './lib/run.mjs'
import { ensureDependencies, ensureRedisServer } from './lib/setup.mjs'
import { closingLine, failures, summarise } from './lib/vitest-summary.mjs'

await main(runTests, () => console.log(closingLine({ passed: 0, failed: 1 })))

async function runTests() {
  const start = performance.now()
  await ensureDependencies()
  await ensureRedisServer()
  // The services' tests import @vextrus/shared as any user does: from its dist/. So they do with what they share.
  for (const folder of libraries) await build(folder)

  const { exitCode, report } = await vitest(process.argv.slice(2))
  const counts = summarise(report, exitCode)
  if (counts.ranNothing) say('vitest ran no test')
  else if (counts.skipped > 0) say(`${counts.skipped} skipped`)
  if (exitCode !== 0) say(`vitest ended with exit code ${exitCode}`)
  say(`npm test took ${secondsSince(start)}`)
  for (const line of failures(report, root)) console.log(line)
  console.log(closingLine(counts))
  process.exitCode = counts.failed > 0 ? 1 : 0
}

/** The report is written beside the progress, to a file: parsing what a person reads would be guessing. */
async function vitest(args) {
  const folder = mkdtempSync(join(tmpdir(), 'vextrus-test-'))
  const file = join(folder, 'report.json')
  try {
    const program = join(root, 'node_modules', 'vitest', 'vitest.mjs')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const exitCode = await run(process.execPath, [program, 'run', ...reporters, ...args])
    return { exitCode, report: parsed(file) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A vitest that crashed leaves no report, or half a one. */
function parsed(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    say(`vitest left no readable report: ${error.message}`)
    return undefined
  }
}
