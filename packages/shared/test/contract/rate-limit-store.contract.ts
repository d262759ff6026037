import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RateLimitIds, RateLimitRule } from '../../src/rate-limit/public-types.js'
import type {
  Ask,
  CounterReply,
  Demand,
  HitReply,
  HitRequest,
  News,
  RateLimitAlgorithm,
  RateLimitStore,
} from '../../src/rate-limit/rate-limit-store.js'
import { compileRule } from '../../src/rate-limit/rules.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { LimitBackend } from '../support/limit-backends.js'
import { waitFor } from '../support/wait-for.js'

const ALGORITHMS: readonly RateLimitAlgorithm[] = ['token-bucket', 'sliding-window', 'fixed-window']
const PREFIX = 'vextrus-limits:'
const keyspace = new Keyspace(PREFIX)
const DAY_US = 86_400_000_000
/** Windows in which nothing comes back while a test runs. */
const LONG = '1d'

/** One part of a demand, as the engine makes it from a rule. */
export function askOf(rule: Partial<RateLimitRule>, ids: RateLimitIds, cost = 1, most = cost): Ask {
  const { spec, counter } = compileRule({ limit: 10, window: LONG, ...rule })
  return { ...counter(ids), spec, cost, most }
}

/** What every store of limits promises the engine: the port, as one suite. Each store is a client of its own. */
export function rateLimitStoreContract(name: string, makeBackend: () => Promise<LimitBackend>): void {
  describe(`the store of limits on ${name}`, () => {
    let backend: LimitBackend
    let one: RateLimitStore
    let other: RateLimitStore
    let ids: { user: string; tenant: string; ip: string }
    let tests = 0

    beforeAll(async () => {
      backend = await makeBackend()
      ;[one, other] = [await backend.store(PREFIX), await backend.store(PREFIX)]
    })
    beforeEach(() => {
      ids = { user: `u${++tests}`, tenant: `t${tests % 7}`, ip: `10.0.0.${tests}` }
    })
    afterAll(() => backend.close())

    const ask = (rule: Partial<RateLimitRule>, cost = 1, most = cost): Ask => askOf(rule, ids, cost, most)
    const granted = (replies: readonly CounterReply[]): number[] => replies.map((reply) => reply.granted)
    const left = async (demand: Demand): Promise<number[]> =>
      (await other.peek(demand)).map(({ remaining }) => remaining)
    /** All that the server has of these counters; null where there is no server. */
    async function raw(demand: Demand): Promise<unknown[] | null> {
      const { command } = backend.server
      if (command === null) return null
      const keys = demand.map(({ id }) => keyspace.limits + id)
      return Promise.all(
        keys.map(async (key) => [await command(key, 'GET', key), await command(key, 'PEXPIRETIME', key)]),
      )
    }

    describe.each(ALGORITHMS)('a %s', (algorithm) => {
      it('gives its limit and no more, to all clients together', async () => {
        const demand = [ask({ algorithm, limit: 5 })]
        for (let left = 4; left >= 0; left--) {
          const [reply] = await (left % 2 === 0 ? one : other).take(demand)
          expect(reply).toMatchObject({ granted: 1, remaining: left, retryUs: 0 })
          expect(reply!.resetUs).toBeGreaterThan(0)
          expect(reply!.resetUs).toBeLessThanOrEqual(2 * DAY_US)
        }
        const [refused] = await one.take(demand)
        expect(refused).toMatchObject({ granted: 0, remaining: 0 })
        expect(refused!.retryUs).toBeGreaterThan(0)
        expect(refused!.retryUs).toBeLessThanOrEqual(2 * DAY_US)
      })

      it('of less than a second refuses in it, and lets pass after it', async () => {
        const demand = [ask({ algorithm, limit: 3, window: '0.2s' }, 3)]
        // Of one tick, so of one moment of the store.
        const [first, second] = await Promise.all([one.take(demand), one.take(demand)])
        expect([granted(first!), granted(second!)]).toEqual([[3], [0]])
        expect(second![0]!.retryUs).toBeGreaterThan(0)
        expect(second![0]!.retryUs).toBeLessThanOrEqual(400_000)
        await backend.server.elapse(401)
        expect(await one.take(demand)).toMatchObject([{ granted: 3, remaining: 0 }])
      })

      it('lets pass after the time that it said', async () => {
        const demand = [ask({ algorithm, limit: 4, window: 80 }, 3)]
        const [, [refused]] = (await Promise.all([one.take(demand), one.take(demand)])) as [unknown, CounterReply[]]
        expect(refused!.granted).toBe(0)
        await backend.server.elapse(Math.ceil(refused!.retryUs / 1_000))
        expect(granted(await one.take(demand))).toEqual([3])
      })

      it('gives as much as there is, up to the most that is asked, and nothing below the least', async () => {
        const rule = { algorithm, limit: 10 }
        expect(granted(await one.take([ask(rule, 2, 7)]))).toEqual([7])
        expect(await one.take([ask(rule, 4, 7)])).toMatchObject([{ granted: 0, remaining: 3 }])
        expect(await one.take([ask(rule, 2, 7)])).toMatchObject([{ granted: 3, remaining: 0 }])
      })

      it('refuses a cost that it can never hold, after a window too, and keeps what it has', async () => {
        const rule = { algorithm, limit: 5 }
        const [refused] = await one.take([ask(rule, 6)])
        expect(refused).toMatchObject({ granted: 0, remaining: 5, resetUs: 0 })
        expect(refused!.retryUs).toBeGreaterThan(DAY_US - 1_000)
        expect(refused!.retryUs).toBeLessThanOrEqual(DAY_US)
        expect(granted(await one.take([ask(rule, 5)]))).toEqual([5])
      })

      it('with a limit of 0 refuses all', async () => {
        const demand = [ask({ algorithm, limit: 0 })]
        expect(await one.take(demand)).toMatchObject([{ granted: 0, remaining: 0, resetUs: 0 }])
        expect(await raw(demand)).toEqual(backend.server.command === null ? null : [[null, -2]])
      })

      it('answers a look as it would answer a taking, and is left as it is', async () => {
        const demand = [ask({ algorithm, limit: 4 }, 3)]
        expect(await other.peek(demand)).toEqual([{ granted: 3, remaining: 4, retryUs: 0, resetUs: 0 }])
        expect(await raw(demand)).toEqual(backend.server.command === null ? null : [[null, -2]])
        await one.take(demand)
        const before = await raw(demand)
        expect(await other.peek(demand)).toMatchObject([{ granted: 0, remaining: 1 }])
        expect(await raw(demand)).toEqual(before)
        expect(granted(await one.take([ask({ algorithm, limit: 4 })]))).toEqual([1])
      })

      it('that refuses is not written, not even its time to live', async () => {
        const demand = [ask({ algorithm, limit: 4 }, 4)]
        await one.take(demand)
        const before = await raw(demand)
        await backend.server.elapse(3)
        for (let i = 0; i < 5; i++) expect(granted(await one.take(demand))).toEqual([0])
        expect(await raw(demand)).toEqual(before)
      })

      it('takes back what is given back, and is never more than full', async () => {
        const rule = { algorithm, limit: 5 }
        await one.take([ask(rule, 4)])
        await other.refund([ask(rule, 3)])
        expect(await left([ask(rule)])).toEqual([4])
        await other.refund([ask(rule, 50)])
        expect(await other.peek([ask(rule)])).toEqual([{ granted: 1, remaining: 5, retryUs: 0, resetUs: 0 }])
        expect([granted(await one.take([ask(rule, 5)])), granted(await one.take([ask(rule)]))]).toEqual([[5], [0]])
      })

      it('that was never used has nothing to take back', async () => {
        const demand = [ask({ algorithm, limit: 5 }, 3)]
        await one.refund(demand)
        expect(await raw(demand)).toEqual(backend.server.command === null ? null : [[null, -2]])
        expect(await left(demand)).toEqual([5])
      })

      it('is as if never used after a reset, and only this one', async () => {
        const mine = [ask({ algorithm, limit: 3 }, 3)]
        const [others] = [[{ ...mine[0]!, id: `${mine[0]!.id}x` }]]
        await one.take(mine)
        await one.take(others)
        await other.reset(mine)
        expect(await one.peek(mine)).toEqual([{ granted: 3, remaining: 3, retryUs: 0, resetUs: 0 }])
        expect(granted(await one.take(others))).toEqual([0])
        await other.reset(mine)
        expect(granted(await one.take(mine))).toEqual([3])
      })

      it('is judged by the limit of the moment, with what was used before', async () => {
        const by = (limit: number): Demand => [ask({ algorithm, limit })]
        await one.take([ask({ algorithm, limit: 10 }, 6)])
        expect(await one.take(by(4))).toMatchObject([{ granted: 0, remaining: 0 }])
        expect(await one.take(by(7))).toMatchObject([{ granted: 1, remaining: 0 }])
        expect(granted(await one.take(by(0)))).toEqual([0])
        expect(await one.take(by(20))).toMatchObject([{ granted: 1, remaining: 12 }])
      })

      it('gives no more than its limit to many at once, in one tick and from several clients', async () => {
        const demand = [ask({ algorithm, limit: 50 })]
        const replies = await Promise.all(
          Array.from({ length: 150 }, (_, i) => (i % 2 === 0 ? one : other).take(demand)),
        )
        expect(replies.filter(([reply]) => reply!.granted === 1)).toHaveLength(50)
        expect(await left(demand)).toEqual([0])
      })
    })

    describe('several counters', () => {
      const three = (cost = 1): Demand => [
        ask({ limit: 5, algorithm: 'token-bucket' }, cost),
        ask({ limit: 3, algorithm: 'sliding-window', by: 'tenant', name: ids.user }, cost),
        ask({ limit: 8, algorithm: 'fixed-window', by: 'ip' }, cost),
      ]

      it('give together or not at all, and one that refuses does not cost the others', async () => {
        expect(await one.take(three(2))).toMatchObject([
          { granted: 2, remaining: 3 },
          { granted: 2, remaining: 1 },
          { granted: 2, remaining: 6 },
        ])
        const before = await raw(three())
        for (let i = 0; i < 3; i++) {
          expect(await one.take(three(2))).toMatchObject([
            { granted: 2, remaining: 3, retryUs: 0 },
            { granted: 0, remaining: 1 },
            { granted: 2, remaining: 6, retryUs: 0 },
          ])
        }
        expect(await raw(three())).toEqual(before)
        expect(granted(await one.take(three(1)))).toEqual([1, 1, 1])
        expect(await left(three())).toEqual([2, 0, 5])
      })

      it('don’t give when the last of them refuses, nor when the first does', async () => {
        for (const turned of [three(), three().toReversed()]) {
          await one.reset(turned)
          await one.take([{ ...turned[0]!, cost: 1, most: turned[0]!.spec.limit }])
          expect(granted(await one.take(turned))).toEqual([0, 1, 1])
          expect((await left(turned)).slice(1)).toEqual(turned.slice(1).map(({ spec }) => spec.limit))
        }
      })

      it('give back together, and are reset together', async () => {
        await one.take(three(3))
        await one.refund(three(2))
        expect(await left(three())).toEqual([4, 2, 7])
        await one.reset(three())
        expect(await left(three())).toEqual([5, 3, 8])
      })

      it('give each what it has, where a least and a most are asked', async () => {
        const upTo = three().map((part) => ({ ...part, most: 4 }))
        expect(granted(await one.take(upTo))).toEqual([4, 3, 4])
        expect(granted(await one.take(upTo))).toEqual([1, 0, 4])
        expect(await left(upTo)).toEqual([1, 0, 4])
      })

      it('of 32 rules are one demand', async () => {
        const many = Array.from({ length: 32 }, (_, i) =>
          ask({ limit: 2 + (i % 3), name: `rule${i}`, algorithm: ALGORITHMS[i % 3]! }),
        )
        for (const allowed of [true, true, false]) {
          expect((await one.take(many)).every((reply) => reply.granted === 1)).toBe(allowed)
        }
        expect(await left(many)).toEqual(many.map((_, i) => i % 3))
        await one.reset(many)
        const replies = await Promise.all(Array.from({ length: 40 }, () => one.take(many)))
        expect(replies.filter((reply) => reply.every((each) => each.granted === 1))).toHaveLength(2)
        expect(await left(many)).toEqual(many.map((_, i) => i % 3))
      })
    })

    describe('many demands of one tick', () => {
      it('each have their own answer, over many tenants, more than one run serves, looks between takings', async () => {
        const demands = Array.from({ length: 240 }, (_, i) => {
          const by = { user: `${ids.user}-${i}`, tenant: `tenant${i % 11}` }
          const spent = 1 + (i % 5)
          const parts = [askOf({ limit: 100 + i, algorithm: ALGORITHMS[i % 3]! }, by, spent)]
          if (i % 4 === 0) parts.push(askOf({ limit: 1_000 + i, name: 'second' }, by, spent))
          return { parts, takes: i % 3 !== 1 }
        })
        const replies = await Promise.all(
          demands.map(({ parts, takes }) => (takes ? one.take(parts) : one.peek(parts))),
        )
        demands.forEach(({ parts, takes }, i) => {
          const expected = parts.map(({ spec, cost }) => ({
            granted: cost,
            remaining: spec.limit - (takes ? cost : 0),
            retryUs: 0,
          }))
          expect(replies[i], `demand ${i}`).toMatchObject(expected)
        })
      })

      it('see what those before them took', async () => {
        const rule = { limit: 70 }
        const replies = await Promise.all(Array.from({ length: 80 }, () => one.take([ask(rule)])))
        const remaining = replies.map(([reply]) => reply!.remaining)
        expect(remaining).toEqual([
          ...Array.from({ length: 70 }, (_, i) => 69 - i),
          ...Array.from({ length: 10 }, () => 0),
        ])
      })
    })

    describe('ids', () => {
      const odd = [
        '{',
        '}',
        '{}',
        'a}b',
        'a b',
        "'",
        '"',
        '\\',
        '%s',
        '%',
        '*',
        '#',
        '::1',
        'é',
        'ключ',
        '🔒',
        '\n',
        '\0',
        '\ud800',
        '\udfff',
        'x'.repeat(5_000),
        '-1',
        '1e9',
        'constructor',
      ]

      it('of any characters, of users and of tenants, are counters of their own, and news name them', async () => {
        const heard: News[] = []
        const stop = await other.listen({
          news: (news) => heard.push(news),
          deaf: () => undefined,
          heard: () => undefined,
        })
        const counters = odd.flatMap((id) =>
          odd.slice(0, 9).map((tenant) => askOf({ limit: 1, name: `n${ids.user}:{é}` }, { user: id, tenant })),
        )
        for (const round of [1, 0]) {
          const replies = await Promise.all(counters.map((counter) => one.take([counter])))
          expect(replies.map((reply) => reply[0]!.granted)).toEqual(counters.map(() => round))
        }
        for (const counter of counters) await one.reset([counter])
        await waitFor('the news of all', () => heard.length >= counters.length)
        // On a Cluster each master publishes for itself.
        expect(inOrder(heard)).toEqual(inOrder(counters.map(({ id }) => ({ type: 'counter', id }))))
        stop()
      })
    })

    describe('a count of hits', () => {
      const hit = (more: Partial<HitRequest> = {}): Promise<HitReply> =>
        (tests++ % 2 === 0 ? one : other).hit({ id: `{h}:${ids.user}`, by: 1, windowMs: 60_000, ...more })

      it('goes on beyond its limit, in a window that begins with the first', async () => {
        expect(await hit({ by: 0 })).toEqual({ hits: 0, resetMs: 0, blockedMs: 0 })
        for (const hits of [1, 2, 3, 4]) {
          const reply = await hit({ limit: 2 })
          expect(reply).toMatchObject({ hits, blockedMs: 0 })
          expect(reply.resetMs).toBeGreaterThan(30_000)
          expect(reply.resetMs).toBeLessThanOrEqual(60_000)
        }
        expect(await hit({ by: 5 })).toMatchObject({ hits: 9 })
      })

      it('takes one back, never below nothing, and can be looked at', async () => {
        await hit({ by: 2 })
        expect(await hit({ by: -1 })).toMatchObject({ hits: 1 })
        expect(await hit({ by: 0 })).toMatchObject({ hits: 1 })
        expect(await hit({ by: -1 })).toMatchObject({ hits: 0 })
        expect(await hit({ by: -1 })).toMatchObject({ hits: 0 })
        expect(await hit()).toMatchObject({ hits: 1 })
      })

      it('begins anew after its window, also one of less than a second', async () => {
        await hit({ by: 5, windowMs: 50 })
        await backend.server.elapse(51)
        expect(await hit({ by: 0, windowMs: 50 })).toEqual({ hits: 0, resetMs: 0, blockedMs: 0 })
        expect(await hit({ windowMs: 50 })).toMatchObject({ hits: 1 })
      })

      it('is closed beyond its limit, counts nothing then, and is new when it opens', async () => {
        const closing = { limit: 2, blockMs: 150 }
        expect(await hit({ ...closing, by: 2 })).toMatchObject({ hits: 2, blockedMs: 0 })
        const closed = await hit(closing)
        expect(closed.hits).toBe(3)
        expect(closed.blockedMs).toBe(150)
        await backend.server.elapse(151)
        expect(await hit({ ...closing, by: 0 })).toEqual({ hits: 0, resetMs: 0, blockedMs: 0 })
        // A block that is shorter than the window does not close again what it has been paid for.
        for (const hits of [1, 2]) expect(await hit(closing)).toMatchObject({ hits, blockedMs: 0 })
        expect(await hit(closing)).toMatchObject({ hits: 3, blockedMs: 150 })
      })

      it('stays closed beyond the end of its window when it is closed for longer; hits do not prolong it', async () => {
        const closing = { limit: 1, windowMs: 40, blockMs: 60_000 }
        await hit({ ...closing, by: 2 })
        const first = await hit({ ...closing, by: 0 })
        expect(first.hits).toBe(2)
        await backend.server.elapse(41)
        for (const by of [1, 0, -1, 10]) {
          const reply = await hit({ ...closing, by })
          expect(reply).toMatchObject({ hits: 2, resetMs: 0 })
          expect(reply.blockedMs).toBeLessThanOrEqual(first.blockedMs - 41 + 1)
          expect(reply.blockedMs).toBeGreaterThan(1_000)
        }
      })

      it('with a limit of 0 is closed by the first', async () => {
        expect(await hit({ limit: 0, blockMs: 5_000 })).toMatchObject({ hits: 1, blockedMs: 5_000 })
      })

      it('is reset', async () => {
        await hit({ limit: 0, blockMs: 5_000 })
        await one.reset([{ ...ask({}), id: `{h}:${ids.user}` }])
        expect(await hit()).toMatchObject({ hits: 1, blockedMs: 0 })
      })

      it('loses none of many at once', async () => {
        const replies = await Promise.all(Array.from({ length: 100 }, () => hit()))
        expect(replies.map(({ hits }) => hits).toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: 100 }, (_, i) => i + 1),
        )
      })
    })

    describe('places', () => {
      const enter = (token: string, limit = 2, ttlMs = 60_000): Promise<boolean> =>
        (token.length % 2 === 0 ? one : other).enter({ id: `{p}:${ids.user}`, token }, limit, ttlMs)
      const leave = (token: string): Promise<void> => one.leave({ id: `{p}:${ids.user}`, token })

      it('are as many as the limit says, and free again when left', async () => {
        expect([await enter('a'), await enter('bb'), await enter('c')]).toEqual([true, true, false])
        await leave('a')
        expect([await enter('c'), await enter('a')]).toEqual([true, false])
        await leave('nobody')
        await leave('nobody')
        expect(await enter('a')).toBe(false)
      })

      it('are one for each token, however often it asks', async () => {
        for (let i = 0; i < 5; i++) expect(await enter('a')).toBe(true)
        expect([await enter('bb'), await enter('bb'), await enter('c'), await enter('a')]).toEqual([
          true,
          true,
          false,
          true,
        ])
      })

      it('are free again after their time, though nobody leaves; each at its own', async () => {
        expect([await enter('a', 2, 40), await enter('bb', 2, 60_000)]).toEqual([true, true])
        await backend.server.elapse(41)
        expect([await enter('c'), await enter('dd'), await enter('a')]).toEqual([true, false, false])
      })

      it('last from the last question on, and no late copy of an earlier one makes them shorter', async () => {
        expect([await enter('a', 1, 40), await enter('a', 1, 60_000), await enter('a', 1, 40)]).toEqual([
          true,
          true,
          true,
        ])
        await backend.server.elapse(41)
        expect(await enter('bb', 1)).toBe(false)
      })

      it('of which there are none are refused, also to one that has one', async () => {
        expect(await enter('a', 0)).toBe(false)
        expect([await enter('a'), await enter('bb')]).toEqual([true, true])
        expect([await enter('a', 1), await enter('a', 2)]).toEqual([false, true])
      })

      it('are given to no more than there are of many at once', async () => {
        const entered = await Promise.all(Array.from({ length: 60 }, (_, i) => enter('x'.repeat(i + 1), 7)))
        expect(entered.filter((has) => has)).toHaveLength(7)
      })
    })

    it('counts the processes that were seen, each once, for as long as is asked', async () => {
      const [mine, others] = [`p${tests}-1`, `p${tests}-2`]
      expect(await one.seen(mine, 60_000)).toBe(1)
      expect(await other.seen(others, 60_000)).toBe(2)
      expect(await one.seen(mine, 60_000)).toBe(2)
      await backend.server.elapse(60)
      expect(await one.seen(mine, 50)).toBe(1)
    })

    describe('news', () => {
      /** What is heard of this test: news of the one before it may still be on their way. */
      async function hearing(store: RateLimitStore) {
        const heard: News[] = []
        const gaps: string[] = []
        const stop = await store.listen({
          news(news) {
            if ((news.type === 'plan' ? news.tenant : news.id).endsWith(`:${ids.user}`)) heard.push(news)
          },
          deaf: () => gaps.push('deaf'),
          heard: () => gaps.push('heard'),
        })
        return { heard, gaps, stop }
      }

      it('of refunds, resets and changed plans reach every process, the teller too', async () => {
        const [mine, others] = [await hearing(one), await hearing(other)]
        const [refunded, reset, second] = [ask({ name: 'a' }), ask({ name: 'b' }), ask({ name: 'c' })]
        await one.refund([refunded])
        await other.reset([reset, second])
        await one.announce({ type: 'plan', tenant: `é {t}:${ids.user}` })
        await one.announce({ type: 'counter', id: refunded.id })
        const all = [
          ...[refunded, reset, second].map(({ id }) => ({ type: 'counter', id })),
          { type: 'plan', tenant: `é {t}:${ids.user}` },
          { type: 'counter', id: refunded.id },
        ]
        for (const { heard } of [mine, others]) {
          await waitFor('all news', () => heard.length >= all.length)
          // Of different senders, and on a Cluster of different masters: in any order.
          expect(inOrder(heard)).toEqual(inOrder(all))
        }
        expect([...mine.gaps, ...others.gaps].filter((gap) => gap === 'deaf')).toEqual([])
        mine.stop()
        others.stop()
      })

      it('of a refund come though nothing was used: a refusal may be remembered', async () => {
        const { heard, stop } = await hearing(other)
        const asked = ask({ limit: 0 })
        await one.refund([asked])
        await waitFor('the news', () => heard.length > 0)
        expect(heard).toEqual([{ type: 'counter', id: asked.id }])
        stop()
      })

      it('do not come of takings, looks and hits, nor to who has stopped listening', async () => {
        const [stopped, still] = [await hearing(one), await hearing(other)]
        stopped.stop()
        await one.take([ask({ limit: 1 })])
        await one.take([ask({ limit: 1 })])
        await one.peek([ask({ limit: 1 })])
        await one.hit({ id: `{h}:${ids.user}`, by: 1, windowMs: 1_000 })
        await one.announce({ type: 'plan', tenant: `last:${ids.user}` })
        await waitFor('the last', () => still.heard.length > 0)
        expect(still.heard).toEqual([{ type: 'plan', tenant: `last:${ids.user}` }])
        expect(stopped.heard).toEqual([])
        still.stop()
      })

      it('and counters of another prefix are none of ours', async () => {
        const stranger = await backend.store('vextrus-else:')
        const [ours, theirs] = [await hearing(one), await hearing(stranger)]
        const demand = [ask({ limit: 1 })]
        expect([granted(await one.take(demand)), granted(await stranger.take(demand))]).toEqual([[1], [1]])
        await stranger.reset(demand)
        await waitFor('their news', () => theirs.heard.length > 0)
        expect(granted(await one.take(demand))).toEqual([0])
        expect(ours.heard).toEqual([])
        ours.stop()
        theirs.stop()
      })
    })
  })
}

function inOrder(news: readonly unknown[]): string[] {
  return news.map((each) => JSON.stringify(each)).toSorted()
}
