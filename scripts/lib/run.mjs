// Runs programs and steps for the scripts beside this folder, and says what it is doing.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The workspace's root folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '')

/** What a user reads when a script can't go on: one sentence, without a stack. */
export class Stop extends Error {}

/** Says what is being done. Goes to stderr, so that a program's own output stays clean. */
export function say(text) {
  process.stderr.write(`» ${text}\n`)
}

/** Seconds with one decimal since `start`, a `performance.now()`. */
export function secondsSince(start) {
  return `${((performance.now() - start) / 1_000).toFixed(1)} s`
}

/** Runs `work` between two progress lines, the second with its time. */
export async function timed(name, work) {
  say(`${name} …`)
  const start = performance.now()
  const result = await work()
  say(`${name}: ${secondsSince(start)}`)
  return result
}

/**
 * Runs a program with inherited output and answers its exit code; a signal that ended it counts as 128 and up.
 * A program that can't be started rejects.
 */
export function run(program, args, { cwd = root, env, stdio = ['ignore', 'inherit', 'inherit'] } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio })
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 128))
  })
}

/** Runs a program and answers its exit code with all it wrote, both outputs in one text. */
export function capture(program, args, { cwd = root, env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text) => (output += text))
    }
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 128, output }))
  })
}

/** Runs a program that has to succeed. Its output is shown only when it fails. */
export async function must(what, program, args, options) {
  const { code, output } = await capture(program, args, options)
  if (code === 0) return output
  process.stderr.write(output)
  throw new Stop(`${what} failed with exit code ${code}.`)
}

/**
 * The body of a script: a {@link Stop} ends it with its sentence, anything else with its stack; both with exit code 1.
 * `afterFailure` has the last word then.
 */
export async function main(body, afterFailure = () => {}) {
  try {
    await body()
  } catch (error) {
    process.stderr.write(error instanceof Stop ? `✖ ${error.message}\n` : `${error.stack}\n`)
    process.exitCode = 1
    afterFailure()
  }
}
