import { describe, expect, it } from 'vitest'
import { closingLine, failures, summarise } from './vitest-summary.mjs'

const file = (status, ...tests) => ({ status, assertionResults: tests.map((test) => ({ status: test })) })

describe('the counts of a test run', () => {
  it('are those of the report', () => {
    const report = { numPassedTests: 3, numFailedTests: 1, numPendingTests: 1, numTodoTests: 1, testResults: [] }
    expect(summarise(report, 1)).toEqual({ passed: 3, failed: 1, skipped: 2, ranNothing: false })
  })

  it('count a file that failed before its first test, beside the tests that failed', () => {
    const testResults = [file('failed'), file('failed', 'failed'), file('failed', 'passed'), file('passed', 'passed')]
    expect(summarise({ numPassedTests: 2, numFailedTests: 1, testResults }, 1).failed).toBe(3)
  })

  it('count one failure when all tests passed and the run did not', () => {
    expect(summarise({ numPassedTests: 5, numFailedTests: 0, testResults: [file('passed', 'passed')] }, 1).failed).toBe(
      1,
    )
  })

  it('count one failure when nothing ran, whatever the exit code', () => {
    expect(summarise({ numPassedTests: 0, numFailedTests: 0, testResults: [] }, 0)).toMatchObject({
      failed: 1,
      ranNothing: true,
    })
    expect(summarise(undefined, 137)).toMatchObject({ passed: 0, failed: 1, ranNothing: true })
  })

  it('name each test and each file that failed, on a line of its own', () => {
    const tests = [
      { status: 'passed', fullName: 'a lock is free' },
      { status: 'failed', fullName: 'a lock is kept', failureMessages: ['AssertionError: two holders\n  at a line'] },
    ]
    const testResults = [
      { name: '/project/src/lock.spec.ts', status: 'failed', assertionResults: tests },
      { name: '/project/src/broken.spec.ts', status: 'failed', message: 'no such module', assertionResults: [] },
      { name: '/project/src/sound.spec.ts', status: 'passed', assertionResults: [] },
    ]
    expect(failures({ testResults }, '/project')).toEqual([
      '✖ test src/lock.spec.ts › a lock is kept: AssertionError: two holders',
      '✖ test src/broken.spec.ts: no such module',
    ])
    expect(failures(undefined, '/project')).toEqual([])
  })

  it('make a closing line of nothing but the counts', () => {
    expect(closingLine({ passed: 12, failed: 0, skipped: 3 })).toBe('12 passed, 0 failed')
  })
})
