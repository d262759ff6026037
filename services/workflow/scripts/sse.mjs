// `npm run sse -w @vextrus/workflow -- --clients 1000 --seconds 30 --rate 1000 --broadcasts 10 --cuts 2 --slow 5`: many browsers on one process of the
// service and one Redis, whose connections are cut; says what each second brings, and the numbers at the end. Needs `npm run build` before.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const options = Object.fromEntries(
  Object.entries({ clients: 1_000, seconds: 30, rate: 1_000, broadcasts: 10, cuts: 2, slow: 5 }).map(
    ([name, value]) => [name, { type: 'string', default: String(value) }],
  ),
)
const { values } = parseArgs({ options })
const folder = join(dirname(fileURLToPath(import.meta.url)), '..')
const vitest = join(folder, '..', '..', 'node_modules', 'vitest', 'vitest.mjs')
const child = spawn(process.execPath, [vitest, 'run', '--config', 'vitest.sse.config.ts', 'test/sse/full.ts'], {
  cwd: folder,
  stdio: 'inherit',
  env: { ...process.env, SSE_RUN: JSON.stringify(values) },
})
child.once('close', (code) => (process.exitCode = code ?? 1))
