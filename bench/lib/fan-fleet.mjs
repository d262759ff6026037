import { fork } from 'node:child_process'
import { once } from 'node:events'

/** Processes that listen: `expect(task)` resolves when all do, with what resolves when all have had so many messages. */
export function startListeners(processes) {
  const workers = Array.from({ length: processes }, () => fork(new URL('fan-worker.mjs', import.meta.url)))
  return {
    async expect(task) {
      await Promise.all(
        workers.map((worker) => {
          worker.send(task)
          return answerOf(worker)
        }),
      )
      const counted = Promise.all(workers.map(answerOf))
      return { counted }
    },
    async stop() {
      for (const worker of workers) if (worker.connected) worker.send({})
      await Promise.all(workers.map((worker) => worker.exitCode === null && once(worker, 'exit')))
    },
  }
}

function answerOf(worker) {
  return new Promise((resolve, reject) => {
    const ended = (code) => reject(new Error(`a listening process ended with ${code}`))
    worker.once('exit', ended)
    worker.once('message', () => {
      worker.off('exit', ended)
      resolve()
    })
  })
}
