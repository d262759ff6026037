import { describe, expect, it } from 'vitest'
import { ManualClock, settled } from '../../test/support/manual-clock.js'
import { RedisUnavailableError } from './errors.js'
import { Patience } from './patience.js'
import { command, type RedisCommand } from './script.js'
import type { Executed, Shard, Topology, Unit, UnitOutcome } from './topology.js'

/** Masters `a` and `b` that answer when the test says so. A key begins with the name of its master. */
class Servers implements Topology {
  readonly sharded = true
  readonly sent: { text: string; answer: (outcome?: UnitOutcome) => void }[] = []
  private readonly known = new Map(['a', 'b'].map((id) => [id, shard(id)]))

  shardOf(key: string): Shard | undefined {
    return this.known.get(key[0]!)
  }

  shards(): readonly Shard[] {
    return [...this.known.values()]
  }

  async layout(): Promise<never> {
    throw new Error('nobody asks')
  }

  exec(units: readonly Unit[]): Promise<readonly UnitOutcome[]> {
    return new Promise((resolve) => {
      const texts = units.map(({ key, commands }) => `${key} ${(commands as readonly RedisCommand[])[0]!.name}`)
      const answer = (outcome: UnitOutcome = good): void => resolve(units.map(() => outcome))
      this.sent.push({ text: texts.join(), answer })
    })
  }

  /** What was sent since the last time this was asked. */
  taken(): string[] {
    return this.sent.splice(0).map(({ text }) => text)
  }
}

function shard(id: string): Shard {
  const exec = (): Promise<Executed> => Promise.reject(new Error('nobody asks'))
  return { id, session: undefined, exec, serverNow: () => undefined }
}

const session = { epoch: 'e', runId: 'r' }
const good: UnitOutcome = { replies: ['OK'], session, shard: shard('a'), redirected: false }

interface SetUp {
  readonly clock: ManualClock
  readonly servers: Servers
  readonly patience: Patience
  /** One call, and what became of it. */
  ask(key: string): { outcome: string }
}

function setUp(): SetUp {
  const [clock, servers] = [new ManualClock(), new Servers()]
  const patience = new Patience(servers, clock, 80)
  const ask = (key: string): { outcome: string } => {
    const asked = { outcome: 'waits' }
    patience.exec(servers.shardOf(key), [{ key, commands: [command('GET', [key])] }]).then(
      () => (asked.outcome = 'answered'),
      (error: RedisUnavailableError) => (asked.outcome = error.reason),
    )
    return asked
  }
  return { clock, servers, patience, ask }
}

describe('impatient callers', () => {
  it('have the answers that come in time, whatever they are', async () => {
    const { clock, servers, patience } = setUp()
    const lost = new RedisUnavailableError('a', 'lost')
    for (const outcome of [good, lost]) {
      const asked = patience.exec(servers.shardOf('a'), [{ key: 'a', commands: [command('GET', ['a'])] }])
      await clock.advance(79)
      servers.sent.pop()!.answer(outcome)
      expect(await asked).toEqual([outcome])
    }
    expect(clock.timers).toBeLessThanOrEqual(1)
  })

  it('wait for the deadline once; then all are told at once, and nothing of theirs is sent', async () => {
    const { clock, servers, ask } = setUp()
    const first = ask('a1')
    await clock.advance(40)
    const second = ask('a2')
    await clock.advance(39)
    expect(first.outcome).toBe('waits')
    await clock.advance(2)
    expect([first.outcome, second.outcome]).toEqual(['deadline', 'waits'])
    await clock.advance(41)
    expect(second.outcome).toBe('deadline')
    expect(servers.taken()).toEqual(['a1 GET', 'a2 GET'])
    const later = ask('a3')
    await settled()
    expect(later.outcome).toBe('circuit-open')
    expect(servers.taken()).toEqual([])
  })

  it('of another master notice nothing', async () => {
    const { clock, servers, ask } = setUp()
    ask('a1')
    await clock.advance(81)
    servers.taken()
    const other = ask('b1')
    await clock.advance(50)
    servers.sent.shift()!.answer()
    await settled()
    expect(other.outcome).toBe('answered')
  })

  it('are served again once the master has answered a probe in time, and not before', async () => {
    const { clock, servers, ask } = setUp()
    for (let i = 0; i < 20; i++) ask(`a${i}`)
    await clock.advance(81)
    servers.taken()
    // One probe, however many had waited; its answer comes too late.
    await clock.advance(100)
    expect(servers.sent.map(({ text }) => text)).toEqual(['a0 TIME'])
    await clock.advance(81)
    servers.sent.shift()!.answer()
    await clock.advance(99)
    expect(ask('a1').outcome).toBe('waits')
    await settled()
    expect(servers.taken()).toEqual([])
    // The next fails.
    await clock.advance(1)
    servers.sent.shift()!.answer(new RedisUnavailableError('a', 'lost'))
    await clock.advance(100)
    const probe = servers.sent.shift()!
    expect(probe.text).toBe('a0 TIME')
    await clock.advance(80)
    probe.answer()
    await settled()
    const served = ask('a1')
    expect(servers.sent.map(({ text }) => text)).toEqual(['a1 GET'])
    servers.sent[0]!.answer()
    await settled()
    expect(served.outcome).toBe('answered')
    await clock.advance(1_000)
    expect(servers.taken()).toEqual(['a1 GET'])
  })

  it('hear nothing of an answer that came after their time', async () => {
    const { clock, servers, ask } = setUp()
    const asked = ask('a1')
    await clock.advance(81)
    servers.sent[0]!.answer()
    await settled()
    expect(asked.outcome).toBe('deadline')
  })

  it('of a process that was stopped have the answers that lie in its sockets', async () => {
    const { clock, servers, ask } = setUp()
    const asked = ask('a1')
    clock.jump(10_000)
    await clock.advance(0)
    servers.sent[0]!.answer()
    await clock.advance(5)
    expect(asked.outcome).toBe('answered')
    ask('a2')
    expect(servers.taken()).toEqual(['a1 GET', 'a2 GET'])
  })

  it('of a master that is not known wait once, too', async () => {
    const { clock, servers, ask } = setUp()
    const first = ask('?1')
    await clock.advance(81)
    expect(first.outcome).toBe('deadline')
    const second = ask('?2')
    await settled()
    expect(second.outcome).toBe('circuit-open')
    const known = ask('a1')
    await settled()
    expect(known.outcome).toBe('waits')
    expect(servers.taken()).toEqual(['?1 GET', 'a1 GET'])
  })

  it('are told when it is closed, and then nobody probes', async () => {
    const { clock, servers, patience, ask } = setUp()
    ask('b1')
    await clock.advance(81)
    const waiting = ask('a1')
    patience.close()
    await settled()
    expect(waiting.outcome).toBe('lost')
    servers.taken()
    await clock.advance(1_000)
    expect(servers.taken().filter((text) => text.endsWith('TIME'))).toHaveLength(0)
    expect(clock.timers).toBe(0)
  })
})
