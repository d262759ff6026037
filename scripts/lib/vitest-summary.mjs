// Reads vitest's JSON report into the counts of the closing line.
import { relative } from 'node:path'

/**
 * A file that fails before its first test, an error outside all tests and a run without a report have no failed test to their name; each
 * counts as one failure, so that the closing line never says "0 failed" of a run that failed.
 *
 * @param report the parsed report, or undefined when vitest wrote none
 * @param exitCode vitest's exit code
 */
export function summarise(report, exitCode) {
  const passed = report?.numPassedTests ?? 0
  const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0)
  const files = report?.testResults ?? []
  const brokenFiles = files.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length
  const failed = (report?.numFailedTests ?? 0) + brokenFiles
  const ranNothing = passed + failed === 0
  const silentFailure = failed === 0 && (exitCode !== 0 || ranNothing)
  return { passed, failed: silentFailure ? 1 : failed, skipped, ranNothing }
}

/**
 * What failed, a line each, for the end of a long log: the file from the project's root, the test, and the first line of its reason.
 *
 * @param report the parsed report, or undefined when vitest wrote none
 * @param folder the project's root
 */
export function failures(report, folder) {
  return (report?.testResults ?? []).flatMap((file) => {
    const path = relative(folder, file.name)
    const tests = file.assertionResults.filter((test) => test.status === 'failed')
    if (tests.length > 0) return tests.map((test) => failure(`${path} › ${test.fullName}`, test.failureMessages?.[0]))
    return file.status === 'failed' ? [failure(path, file.message)] : []
  })
}

function failure(where, reason) {
  // The report has no words for what failed in a hook of a suite: vitest printed them.
  const line = reason?.split('\n', 1)[0]
  return `${FAILURE_MARK}${where}: ${line ? line : 'a hook failed, see "Failed Suites"'}`.slice(0, 500)
}

/** How each line of `failures` begins. */
export const FAILURE_MARK = '✖ test '

/** The line that ends a run: its counts, alone. */
export function closingLine({ passed, failed }) {
  return `${passed} passed, ${failed} failed`
}
