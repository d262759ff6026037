/**
 * Requests to a server of another process, as cheaply as they can be made: each connection asks again as soon as it has its whole answer.
 * Forked; is told `{ port, path, count, connections, users }` and answers `{ failed }` when so many requests have been answered.
 */
import { connect } from 'node:net'

process.on('message', async ({ port, path, count, connections, users }) => {
  let left = count
  let failed = 0
  const begin = () =>
    new Promise((resolve, reject) => {
      let text = ''
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      const ask = () => {
        if (left-- <= 0) return socket.end(resolve)
        const user = `user-${Math.floor(Math.random() * users)}`
        socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\nX-User: ${user}\r\n\r\n`)
      }
      socket.setEncoding('latin1')
      socket.on('error', reject)
      socket.on('connect', ask)
      socket.on('data', (chunk) => {
        text += chunk
        const head = text.indexOf('\r\n\r\n')
        if (head === -1) return
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)[1])
        if (text.length < head + 4 + length) return
        if (!text.startsWith('HTTP/1.1 200 ')) failed++
        text = ''
        ask()
      })
    })
  await Promise.all(Array.from({ length: connections }, begin))
  process.send({ failed })
})
