// Reads vitest's JSON report into the counts of the closing line.

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

/** The line that ends a run: its counts, alone. */
export function closingLine({ passed, failed }) {
  return `${passed} passed, ${failed} failed`
}
