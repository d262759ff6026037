// `npm run chaos -- --numbers 20000 --seed 7 --topology sentinel`: the chaos as long as wanted, with a line every ten seconds. Exits with 1 when
// something is wrong.
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const { module } = await runnerImport(fileURLToPath(new URL('long-run.ts', import.meta.url)))
process.exitCode = await module.longRun(process.argv.slice(2))
