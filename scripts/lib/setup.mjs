// Brings a fresh clone to where tests and services can run: npm packages, and a Redis server program.
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { capture, root, run, Stop, timed } from './run.mjs'

const SERVERS = ['redis-server', 'valkey-server']

/** Runs `npm ci` unless node_modules holds exactly what package-lock.json says. */
export async function ensureDependencies() {
  if (installedAsLocked()) return
  // With NODE_ENV=production npm leaves the devDependencies out: the compiler and the test runner are among them.
  const code = await timed('npm ci', () => run(npm, ['ci', '--include=dev', '--no-audit', '--no-fund']))
  if (code !== 0) throw new Stop(`npm ci failed with exit code ${code}: its messages are above.`)
}

/** The name under which npm is called on this system. */
export const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'

/**
 * npm writes down what it installed in node_modules/.package-lock.json. Packages for other systems are missing there, so an optional one may
 * be absent; one that is there and not locked is left over from another branch, and may be the second copy of Nest that breaks injection.
 */
function installedAsLocked() {
  const installed = packagesOf('node_modules/.package-lock.json')
  const locked = packagesOf('package-lock.json')
  if (!installed || !locked) return false
  const inModules = Object.keys(locked).filter((path) => path.includes('node_modules/'))
  return (
    inModules.every((path) => isInstalled(path) || isAbsentOption(path)) &&
    Object.keys(installed).every((path) => path in locked)
  )

  /** Packages of this repository are links, and have no version. */
  function isInstalled(path) {
    return path in installed && installed[path].version === locked[path].version
  }

  function isAbsentOption(path) {
    return !(path in installed) && (locked[path].optional === true || locked[path].devOptional === true)
  }
}

function packagesOf(lockFile) {
  const path = join(root, lockFile)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : undefined
}

/** Installs a Redis server when neither Redis nor Valkey is on PATH, and checks that it is new enough. */
export async function ensureRedisServer() {
  if (!findRedisServer()) await timed('install redis-server', installRedisServer)
  const server = findRedisServer()
  const { output } = await capture(server, ['--version'])
  const version = /\bv=(\d+)\.(\d+)/.exec(output)
  const oldest = output.startsWith('Valkey') ? [7, 2] : [7, 0]
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])]
  if (!(major > oldest[0] || (major === oldest[0] && minor >= oldest[1]))) {
    throw new Stop(`${server} is ${output.trim()}; the toolkit needs Redis 7.0 or Valkey 7.2. ${MEND}`)
  }
}

const MEND =
  'Install Redis 7 or Valkey 7.2 (or newer) so that redis-server or valkey-server is on PATH, then run this again.'

/** The path of the server program, or undefined. */
export function findRedisServer() {
  return SERVERS.map(which).find(Boolean)
}

async function installRedisServer() {
  if (which('apt-get')) {
    const asRoot = process.getuid() === 0 ? [] : which('sudo') ? ['sudo', '-n'] : undefined
    if (asRoot) {
      const [program, ...args] = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-y']
      // A package list that can't be refreshed may still name the package: only the installation's own failure counts.
      await run(program, [...args, 'update'], { stdio: toStderr })
      await run(program, [...args, 'install', '--no-install-recommends', 'redis-server'], { stdio: toStderr })
      if (findRedisServer()) return
    }
  } else if (which('brew')) {
    await run('brew', ['install', 'redis'], { stdio: toStderr })
    if (findRedisServer()) return
  }
  throw new Stop(`There is no redis-server or valkey-server on PATH, and it could not be installed. ${MEND}`)
}

const toStderr = ['ignore', 2, 2]

function which(program) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, program))
    .find(existsSync)
}
