import { Redis } from 'ioredis6'

/**
 * Counts what a server is asked while `run` runs, by MONITOR: `total_commands_processed` and `commandstats` of INFO count the calls that
 * scripts make like those of clients, MONITOR names a script's own as coming from `lua`.
 *
 * @returns `{ result, sent, scripted }`: the answer of `run`, how often each command was sent by a client, and how often scripts called one
 */
export async function counting(port, run) {
  const client = new Redis({ host: '127.0.0.1', port })
  const monitor = await client.monitor()
  const sent = new Map()
  const scripted = new Map()
  const end = `the end of the count ${Math.random()}`
  const ended = new Promise((resolve) => {
    monitor.on('monitor', (_time, [name, argument], source) => {
      if (argument === end) return resolve()
      const counts = source === 'lua' ? scripted : sent
      const command = name.toUpperCase()
      counts.set(command, (counts.get(command) ?? 0) + 1)
    })
  })
  try {
    const result = await run()
    await client.echo(end)
    await ended
    return { result, sent, scripted }
  } finally {
    monitor.disconnect()
    client.disconnect()
  }
}
