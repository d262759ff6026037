import type { DedicatedConnection, RawCommand, RedisPort } from '../../src/redis/client.js'
import { RedisUnavailableError } from '../../src/redis/errors.js'
import type { RedisReply } from '../../src/redis/topology.js'

/** A client port whose server is the test: it sees every list of commands and answers it when it likes. */
export class FakePort implements RedisPort {
  readonly id = 'fake:1'
  ready = false
  resets = 0
  readonly lists: FakeList[] = []
  private readonly watchers = new Set<Parameters<RedisPort['watch']>[0]>()

  pipeline(commands: readonly RawCommand[]): Promise<RedisReply[]> {
    if (!this.ready) return Promise.reject(new RedisUnavailableError(this.id, 'not-connected'))
    return new Promise((resolve, reject) => {
      this.lists.push({
        commands,
        text: commands.map(({ name, args }) => [name, ...args].join(' ')),
        answer: (...replies) => resolve(replies),
        lose: () => reject(new RedisUnavailableError(this.id, 'lost')),
      })
    })
  }

  /** The oldest list that was not taken before. */
  next(): FakeList {
    const list = this.lists.shift()
    if (list === undefined) throw new Error('Nothing was sent')
    return list
  }

  connectNow(): void {
    this.ready = true
    for (const watcher of this.watchers) watcher.ready()
  }

  loseNow(): void {
    this.ready = false
    for (const list of this.lists.splice(0)) list.lose()
    for (const watcher of this.watchers) watcher.lost()
  }

  failNow(cause: Error): void {
    for (const watcher of this.watchers) watcher.error(cause)
  }

  watch(events: Parameters<RedisPort['watch']>[0]): () => void {
    this.watchers.add(events)
    return () => this.watchers.delete(events)
  }

  connect(): void {}

  dedicated(): Promise<DedicatedConnection> {
    return Promise.reject(new Error('A fake has no dedicated connections'))
  }

  reset(): void {
    this.resets++
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** One list of commands that was sent. */
export interface FakeList {
  readonly commands: readonly RawCommand[]
  /** Each command in one line. */
  readonly text: readonly string[]
  answer(...replies: RedisReply[]): void
  /** The connection is lost before the answer. */
  lose(): void
}

/** The answer of a healthy server to the handshake. */
export function greeting({
  version = 'redis_version:7.0.15',
  role = 'master',
  replid = 'abcdef0123456789',
  runId = 'run1',
} = {}): [string, string, string[]] {
  return [`# Server\r\n${version}\r\nrun_id:${runId}\r\n`, ...heartbeat({ role, replid })]
}

/** The answer of a healthy server to a heartbeat. */
export function heartbeat({ role = 'master', replid = 'abcdef0123456789' } = {}): [string, string[]] {
  return [`# Replication\r\nrole:${role}\r\nmaster_replid:${replid}\r\n`, ['1700000000', '123456']]
}
