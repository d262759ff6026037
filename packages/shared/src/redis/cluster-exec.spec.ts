import { beforeEach, describe, expect, it } from 'vitest'
import { ManualClock, settled } from '../../test/support/manual-clock.js'
import { execUnits, type Router } from './cluster-exec.js'
import type { ClusterNode } from './cluster-node.js'
import { RedisReplyError, RedisUnavailableError } from './errors.js'
import type { Redirect } from './redirect.js'
import { command } from './script.js'
import { slotOf } from './slot.js'
import type { Executed, RedisCommand, RedisReply, ShardSession, UnitOutcome } from './topology.js'

/** A master whose answers are the test's. */
class FakeNode {
  readonly address: { host: string; port: number }
  readonly lists: { text: string[]; asking: boolean }[] = []
  answer: (text: string, asking: boolean) => RedisReply | RedisUnavailableError = (text) => `${this.id} ${text}`
  opens: Promise<void> = Promise.resolve()
  readonly shard: {
    readonly id: string
    session: ShardSession | undefined
    exec(commands: readonly RedisCommand[]): Promise<Executed>
    execAsking(commands: readonly RedisCommand[]): Promise<Executed>
  }

  constructor(readonly id: string) {
    this.address = { host: id, port: 1 }
    this.shard = {
      id,
      session: { epoch: `epoch-${id}`, runId: id },
      exec: (commands) => this.run(commands, false),
      execAsking: (commands) => this.run(commands, true),
    }
  }

  opened(): Promise<void> {
    return this.opens
  }

  private async run(commands: readonly RedisCommand[], asking: boolean): Promise<Executed> {
    const text = commands.map(({ name, args }) => [name, ...args].join(' '))
    this.lists.push({ text, asking })
    const { session } = this.shard
    if (session === undefined) throw new RedisUnavailableError(this.id, 'not-connected')
    const replies = text.map((each) => this.answer(each, asking))
    const lost = replies.find((reply) => reply instanceof RedisUnavailableError)
    if (lost !== undefined) throw lost
    return { replies: replies as RedisReply[], session }
  }
}

let clock: ManualClock
let [one, two, three]: FakeNode[] = []
let learnt: Redirect[]
let unwell: number
let router: Router
const [KEY, OTHER] = ['{a}', '{b}']
const SLOT = slotOf(KEY)

beforeEach(() => {
  clock = new ManualClock()
  ;[one, two, three] = ['one', 'two', 'three'].map((id) => new FakeNode(id))
  learnt = []
  unwell = 0
  const nodes = new Map([one!, two!, three!].map((node) => [node.id, node]))
  router = {
    clock,
    timeoutMs: 500,
    nodeOf: (slot) => (slot === SLOT ? one : slot === slotOf(OTHER) ? two : undefined) as unknown as ClusterNode,
    unserved: (slot) => new RedisUnavailableError(`slot ${slot}`, 'not-connected'),
    follow: (redirect) => {
      learnt.push(redirect)
      return nodes.get(redirect.to.host)! as unknown as ClusterNode
    },
    unwell: () => void unwell++,
  }
})

const unit = (key: string, ...names: string[]) => ({ key, commands: names.map((name) => command(name, [key])) })
const moved = (to: string): RedisReplyError => new RedisReplyError(`MOVED ${SLOT} ${to}:1`)
const ask = (to: string): RedisReplyError => new RedisReplyError(`ASK ${SLOT} ${to}:1`)
const repliesOf = (outcome: UnitOutcome | undefined): unknown =>
  outcome instanceof RedisUnavailableError ? outcome.reason : outcome?.replies

describe('units', () => {
  it('leave before exec returns, those of one master in one write', async () => {
    const sent = execUnits([unit(KEY, 'A', 'B'), unit(OTHER, 'C'), unit(KEY, 'D')], router)
    expect(one!.lists).toEqual([{ text: ['A {a}', 'B {a}', 'D {a}'], asking: false }])
    expect(two!.lists).toEqual([{ text: ['C {b}'], asking: false }])
    const outcomes = await sent
    expect(outcomes.map(repliesOf)).toEqual([['one A {a}', 'one B {a}'], ['two C {b}'], ['one D {a}']])
    expect(outcomes[1]).toMatchObject({ session: two!.shard.session, shard: two!.shard, redirected: false })
  })

  it('of a master that is away fail alone, as do those of a slot without a master', async () => {
    one!.answer = () => new RedisUnavailableError('one', 'lost')
    const outcomes = await execUnits([unit(KEY, 'A'), unit(OTHER, 'B'), unit('{c}', 'C')], router)
    expect(outcomes.map(repliesOf)).toEqual(['lost', ['two B {b}'], 'not-connected'])
  })

  it('that meet another error of the server have it in its place', async () => {
    const again = new RedisReplyError('TRYAGAIN Multiple keys request during rehashing of slot')
    const down = new RedisReplyError('CLUSTERDOWN The cluster is down')
    one!.answer = (text) => (text.startsWith('A') ? again : text.startsWith('B') ? down : 'fine')
    const [outcome] = await execUnits([unit(KEY, 'A', 'B', 'C')], router)
    expect(repliesOf(outcome)).toEqual([again, down, 'fine'])
    expect(unwell).toBe(1)
  })
})

describe('a redirected unit', () => {
  it('is done again from its first redirected command on, in order, also what had succeeded (R11)', async () => {
    one!.answer = (text) => (/^[BD]/.test(text) ? moved('two') : 'one did it')
    const [outcome] = await execUnits([unit(KEY, 'A', 'B', 'C', 'D')], router)
    expect(two!.lists).toEqual([{ text: ['B {a}', 'C {a}', 'D {a}'], asking: false }])
    expect(repliesOf(outcome)).toEqual(['one did it', 'two B {a}', 'two C {a}', 'two D {a}'])
    expect(outcome).toMatchObject({ session: two!.shard.session, shard: two!.shard, redirected: true })
    expect(learnt).toEqual([{ kind: 'MOVED', slot: SLOT, to: { host: 'two', port: 1 } }])
  })

  it('asks at the target of an ASK, and others beside it don’t', async () => {
    one!.answer = (text) => (text.startsWith('A') ? ask('two') : text.startsWith('B') ? moved('two') : 'here')
    const outcomes = await execUnits([unit(KEY, 'A'), unit(KEY, 'B'), unit(KEY, 'C'), unit(KEY, 'A')], router)
    expect(two!.lists).toEqual(
      expect.arrayContaining([
        { text: ['A {a}', 'A {a}'], asking: true },
        { text: ['B {a}'], asking: false },
      ]),
    )
    expect(outcomes.map((outcome) => outcome instanceof Error || outcome.redirected)).toEqual([true, true, false, true])
  })

  it('is made anew for its new master (R14)', async () => {
    one!.answer = (text) => (text.startsWith('B') ? ask('two') : 'one did it')
    const commands = ({ id }: { id: string }): RedisCommand[] => ['A', 'B'].map((name) => command(name, [KEY, id]))
    const [outcome] = await execUnits([{ key: KEY, commands }], router)
    expect(repliesOf(outcome)).toEqual(['one did it', 'two B {a} two'])
  })

  it('is followed from master to master', async () => {
    one!.answer = () => moved('two')
    two!.answer = (text) => (text.startsWith('B') ? ask('three') : 'two did it')
    const [outcome] = await execUnits([unit(KEY, 'A', 'B')], router)
    expect(repliesOf(outcome)).toEqual(['two did it', 'three B {a}'])
    expect(three!.lists).toEqual([{ text: ['B {a}'], asking: true }])
  })

  it('is given up after five redirections', async () => {
    one!.answer = () => moved('two')
    two!.answer = () => moved('one')
    const [outcome] = await execUnits([unit(KEY, 'A')], router)
    expect(outcome).toMatchObject({ code: 'REDIS_UNAVAILABLE', reason: 'redirected' })
    expect(one!.lists.length + two!.lists.length).toBe(6)
  })

  it('is not followed any more after the deadline', async () => {
    one!.answer = () => {
      clock.jump(501)
      return moved('two')
    }
    const [outcome] = await execUnits([unit(KEY, 'A')], router)
    expect(repliesOf(outcome)).toBe('redirected')
    expect(two!.lists).toEqual([])
  })

  it('waits for the session of a master that is new (R16)', async () => {
    one!.answer = () => moved('two')
    const { session } = two!.shard
    two!.shard.session = undefined
    let opened = (): void => undefined
    two!.opens = new Promise((resolve) => (opened = resolve))
    const sent = execUnits([unit(KEY, 'A')], router)
    await settled()
    expect(two!.lists).toEqual([])
    two!.shard.session = session
    opened()
    expect(repliesOf((await sent)[0])).toEqual(['two A {a}'])
  })

  it('fails with its new master', async () => {
    one!.answer = (text) => (text.startsWith('B') ? moved('two') : 'one did it')
    two!.answer = () => new RedisUnavailableError('two', 'lost')
    const [outcome] = await execUnits([unit(KEY, 'A', 'B')], router)
    expect(outcome).toMatchObject({ reason: 'lost' })
  })
})
