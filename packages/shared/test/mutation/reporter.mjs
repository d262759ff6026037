import { writeFileSync } from 'node:fs'

/** Writes what became of each test of each project, and which files could not be run, to the file named by VEXTRUS_REPORT. */
export default class MutationReporter {
  tests = []
  errors = []

  onTestCaseResult(test) {
    const { state, errors = [] } = test.result()
    const error = errors[0]?.message
    this.tests.push({ project: test.project.name, name: test.fullName.replaceAll(' > ', ' '), state, error })
  }

  onTestModuleEnd(module) {
    for (const { message } of module.errors()) this.errors.push({ project: module.project.name, message })
  }

  onTestRunEnd(_modules, unhandled) {
    for (const { message } of unhandled) this.errors.push({ project: null, message })
    writeFileSync(process.env.VEXTRUS_REPORT, JSON.stringify({ tests: this.tests, errors: this.errors }))
  }
}
