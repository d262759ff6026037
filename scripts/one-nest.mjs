// Asserts that there is one copy of Nest and of what it shares state through. Two copies of @nestjs/core break injection by class: a provider
// registered under one copy's token is not found under the other's; two of typeorm don't know each other's errors.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { main, root, say, Stop } from './lib/run.mjs'

const SINGLE = [
  '@nestjs/common',
  '@nestjs/core',
  '@nestjs/swagger',
  '@nestjs/typeorm',
  'reflect-metadata',
  'rxjs',
  'typeorm',
]
/** Dependencies bring older ones of these; the root's have to be the ones of package.json. */
const AT_ROOT = ['ioredis', 'typescript', ...SINGLE]

await main(async () => {
  const installed = Object.keys(
    JSON.parse(readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')).packages,
  )
  for (const name of SINGLE) {
    const copies = installed.filter((path) => path === `node_modules/${name}` || path.endsWith(`/node_modules/${name}`))
    if (copies.length !== 1)
      throw new Stop(
        `There have to be one ${name}, and there are ${copies.length}: ${copies.join(', ')}. npm ls ${name} tells why.`,
      )
  }

  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const name of AT_ROOT) {
    const { version } = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'))
    const wanted = /\d+/.exec(devDependencies[name])[0]
    if (version.split('.')[0] !== wanted)
      throw new Stop(`${name} at the root is ${version}, not ${devDependencies[name]} as package.json says.`)
  }

  const fromToolkit = createRequire(join(root, 'packages/shared/package.json')).resolve('@nestjs/core')
  const workspaces = installed.filter((path) => /^services\/[^/]+$/.test(path))
  for (const workspace of workspaces) {
    const fromService = createRequire(join(root, workspace, 'package.json')).resolve('@nestjs/core')
    if (fromService !== fromToolkit)
      throw new Stop(`${workspace} finds another @nestjs/core (${fromService}) than the toolkit (${fromToolkit}).`)
  }
  say(`one Nest: a single copy each of ${SINGLE.join(', ')} for the toolkit and ${workspaces.length} services`)
})
