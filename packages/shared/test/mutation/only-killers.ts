import { beforeEach, inject, type RunnerTask } from 'vitest'

/** Skips every test that is no killer of its project: a pattern of names is only for a whole run. */
const killers = inject('killers')

beforeEach(({ task, skip }) => {
  const name = fullName(task)
  if (!killers.some((killer) => name.includes(killer))) skip()
})

function fullName(task: RunnerTask): string {
  return task.suite === undefined ? task.name : `${fullName(task.suite)} ${task.name}`
}
