// `npm run rig -- --seconds 600 --seed 7`: the race for as long as wanted, with a line every ten seconds. Exits with 1 on a violation.
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const { module } = await runnerImport(fileURLToPath(new URL('long-run.ts', import.meta.url)))
process.exitCode = await module.longRun(process.argv.slice(2))
