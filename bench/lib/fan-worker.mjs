// One of several processes that listen: opens what the parent names, and tells when all its handlers have had what was published.
import { countOn, fans } from './fan-out.mjs'

const open = new Map()
const counters = new Map()

process.on('message', async ({ name, port, channel, handlers, messages }) => {
  if (name === undefined) {
    for (const fan of open.values()) await fan.close()
    return process.disconnect()
  }
  if (!open.has(name)) open.set(name, await fans[name](port))
  if (!counters.has(channel)) counters.set(channel, await countOn(open.get(name), channel, handlers))
  const counted = counters.get(channel)(messages)
  process.send('listening')
  await counted
  process.send('counted')
})
