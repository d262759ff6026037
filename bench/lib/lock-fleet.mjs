import { fork } from 'node:child_process'
import { once } from 'node:events'

/** Processes that contend together: `contend(name, options)` answers what each saw, as `contend` of `contention.mjs` does for one. */
export function startFleet(processes, port) {
  const workers = Array.from({ length: processes }, () =>
    fork(new URL('lock-worker.mjs', import.meta.url), { serialization: 'advanced' }),
  )
  return {
    contend: (name, { contenders, ...options }) =>
      Promise.all(
        workers.map(async (worker, i) => {
          worker.send({ name, port, contenders, first: i * contenders, ...options })
          return answerOf(worker)
        }),
      ),
    async stop() {
      for (const worker of workers) worker.send({})
      await Promise.all(workers.map((worker) => once(worker, 'exit')))
    },
  }
}

async function answerOf(worker) {
  const done = new AbortController()
  try {
    const [answer] = await Promise.race([
      once(worker, 'message', { signal: done.signal }),
      once(worker, 'exit', { signal: done.signal }).then(([code]) => {
        throw new Error(`a contending process ended with ${code}`)
      }),
    ])
    return answer
  } finally {
    done.abort()
  }
}
