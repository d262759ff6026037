// `npm run lock`: completes package-lock.json after a dependency was added. A package with native parts names one optional package for each
// platform; npm leaves those out of the lock which its registry does not serve, and then `npm ci` refuses the lock as incomplete. Their
// versions are the exact ones that the package names, and their platform is in their name.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { main, root, say, Stop } from './lib/run.mjs'

const OS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const CPU = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']
const LIBC = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' }

await main(() => {
  const file = join(root, 'package-lock.json')
  const lock = JSON.parse(readFileSync(file, 'utf8'))
  const added = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {}, dev }]) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => !isLocked(lock.packages, path, name))
      .map(([name, version]) => [`node_modules/${name}`, platformPackage(name, version, dev)]),
  )
  const sorted = Object.entries({ ...lock.packages, ...Object.fromEntries(added) }).sort(([a], [b]) => (a < b ? -1 : 1))
  writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`)
  say(`${added.length} platform packages were missing in package-lock.json`)
})

/** As Node resolves: in the node_modules of the package itself, then of those around it. */
function isLocked(packages, path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(at.lastIndexOf('/node_modules/'), 0))) {
    if (`${at === '' ? '' : `${at}/`}node_modules/${name}` in packages) return true
    if (at === '') return false
  }
}

function platformPackage(name, version, dev) {
  if (!/^\d+\.\d+\.\d+/.test(version))
    throw new Stop(`${name} is missing in package-lock.json, and ${version} is no exact version.`)
  const words = name.split(/[/-]/)
  const os = OS.filter((each) => words.includes(each))
  const cpu = CPU.filter((each) => words.includes(each))
  const libc = words.flatMap((word) => LIBC[word] ?? [])
  if (os.length !== 1 || cpu.length !== 1)
    throw new Stop(`${name} is missing in package-lock.json, and its name tells no platform.`)
  return { version, cpu, ...(dev ? { dev } : {}), ...(libc.length > 0 ? { libc } : {}), optional: true, os }
}
