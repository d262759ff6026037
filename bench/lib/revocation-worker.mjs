// One of several processes that accept tokens: keeps the answer about a token, and tells when it is refused.
import { setTimeout as pause } from 'node:timers/promises'
import { openBlacklistOn } from './ours.mjs'

let opened

process.on('message', async ({ port, claims }) => {
  if (port === undefined) {
    await opened?.close()
    return process.disconnect()
  }
  opened ??= await openBlacklistOn({ host: '127.0.0.1', port }, 'vextrus:', {})
  const { blacklist } = opened
  for (let i = 0; i < 2; i++) if (await blacklist.isRevoked(claims)) throw new Error('refused before it was revoked')
  process.send({ accepts: true })
  while (!(await blacklist.isRevoked(claims))) await pause(1)
  process.send({ refusedAt: performance.timeOrigin + performance.now() })
})
