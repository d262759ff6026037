// One of several processes that contend for a lock: opens what the parent names, and runs `contend` each time it is told to.
import { contend } from './contention.mjs'
import { lockers } from './lockers.mjs'

const open = new Map()

process.on('message', async ({ name, port, ...options }) => {
  if (name === undefined) {
    for (const locker of open.values()) await locker.close()
    return process.disconnect()
  }
  if (!open.has(name)) open.set(name, await lockers[name](port))
  process.send(await contend(open.get(name), options))
})
