// `npm run build`: compiles packages/shared, then what the services share and the services against it. `npm run build -- shared` stops after the first.
import { build, libraries, services } from './lib/build.mjs'
import { main, must } from './lib/run.mjs'
import { ensureDependencies } from './lib/setup.mjs'

await main(async () => {
  await ensureDependencies()
  await must('Comparing scripts.gen.ts with the .lua files', process.execPath, [
    'scripts/generate-scripts.mjs',
    '--check',
  ])
  const folders = process.argv.includes('shared') ? ['packages/shared'] : [...libraries, ...services()]
  for (const folder of folders) await build(folder)
})
