import {
  COUNTING,
  DENY_CACHE,
  edit,
  inShared,
  LIMIT_RULES,
  LIMIT_STORE_ON_REDIS,
  type Mutant,
  SCRIPTS,
  TOKEN_LEASES,
} from './mutant.js'

const CACHE = 'rate-limit/deny-cache.ts'
const LIMITER = 'rate-limit/rate-limiter.ts'
const LEASES = 'rate-limit/token-leases.ts'

const inCounting = inShared('rate-limit/lua/include/counting.lua')
const TAKE = `local spending = ARGV[1] == '1'`

/** Never more than the limit, nothing spent by what is refused, and nobody refused by what is not so any more. */
export const LIMIT_MUTANTS: readonly Mutant[] = [
  {
    name: 'refusal remembered while deaf',
    rule: 'RATE',
    edits: [
      edit(CACHE, `if (!this.heard || this.changedSince(id, mark)) return`, `if (this.changedSince(id, mark)) return`),
    ],
    killer: [DENY_CACHE, 'remembers nothing before it hears them'],
  },
  {
    name: 'refusal from before a refund remembered',
    rule: 'RATE',
    edits: [edit(CACHE, `if (!this.heard || this.changedSince(id, mark)) return`, `if (!this.heard) return`)],
    killer: [DENY_CACHE, 'that is heard while a question is under way, its answer is not remembered'],
  },
  {
    name: 'refusal from before the deafness remembered',
    rule: 'RATE',
    edits: [edit(CACHE, `  forgetAll(): void {\n    this.changedAny()\n`, `  forgetAll(): void {\n`)],
    killer: [DENY_CACHE, 'does not remember an answer that was under way while it was deaf'],
  },
  {
    name: 'refusal counts from when its answer came',
    rule: 'RATE',
    edits: [
      edit(
        LIMITER,
        `this.denials?.remember(ask, replies[i]!, mark, sentAt)`,
        `this.denials?.remember(ask, replies[i]!, mark, this.clock.mono() + 0 * sentAt)`,
      ),
    ],
    killer: [DENY_CACHE, 'waits no longer than the store says, however long its answer takes'],
  },
  {
    name: 'refusal of another limit counts',
    rule: 'RATE',
    edits: [edit(CACHE, `refusal.cost !== cost || !isSame(refusal.spec, spec)`, `refusal.cost !== cost`)],
    killer: [DENY_CACHE, 'of a rule with the same counter, the refusal of the old one does not count'],
  },
  {
    name: 'bucket with a unit more',
    rule: 'RATE',
    edits: [
      inCounting(
        TAKE,
        `quotient(spec.burst * window - used, window)`,
        `quotient(spec.burst * window - used, window) + 1`,
      ),
    ],
    killer: [LIMIT_STORE_ON_REDIS, 'a token-bucket gives its limit and no more, to all clients together'],
  },
  {
    name: 'sliding window forgets the one before',
    rule: 'RATE',
    edits: [
      edit(
        'rate-limit/counting.ts',
        `quotient((limit - used) * window - before * left(window, at, now), window)`,
        `limit - used`,
      ),
    ],
    killer: [COUNTING, 'a sliding-window grants, refuses and dates as its definition says'],
  },
  {
    name: 'taken where one refuses',
    rule: 'RATE',
    edits: [edit(SCRIPTS, `local retry, takes = 0, passes and spending`, `local retry, takes = 0, spending`)],
    killer: [LIMIT_STORE_ON_REDIS, 'give together or not at all, and one that refuses does not cost the others'],
  },
  {
    name: 'demands of one tick don’t see each other',
    rule: 'RATE',
    edits: [edit(SCRIPTS, `local state = spent[name]`, `local state = nil`)],
    killer: [LIMIT_STORE_ON_REDIS, 'see what those before them took'],
  },
  {
    name: 'more given back than is used',
    rule: 'RATE',
    edits: [edit(SCRIPTS, `used = max(0, used - units * spec.window)`, `used = used - units * spec.window`)],
    killer: [LIMIT_STORE_ON_REDIS, 'a token-bucket takes back what is given back, and is never more than full'],
  },
  {
    name: 'bucket of a clock set back stands still',
    rule: 'RATE',
    edits: [edit('rate-limit/counting.ts', `used: at > now + window ? 0 : Math.max(`, `used: Math.max(`)],
    killer: [COUNTING, 'a token-bucket is forgotten when its clock is set back by more than a window'],
  },
  {
    name: 'refused request keeps its unit of all tenants’ limit',
    rule: 'RATE',
    edits: [edit(LIMITER, `if (replies.some(({ granted }) => granted === 0)) this.returnLeased(shared, leased)`, ``)],
    killer: [TOKEN_LEASES, 'spends nothing of the limit of all tenants'],
  },
  {
    name: 'held units of one plan spent under another',
    rule: 'RATE',
    edits: [edit(LEASES, '`${ask.spec.limit} ${ask.spec.burst} ${ask.id}`', 'ask.id')],
    killer: [TOKEN_LEASES, 'is one for each limit that a plan gives it'],
  },
  {
    name: 'answer for who came after it was sent',
    rule: 'RATE',
    edits: [edit(LEASES, `if (each.asked && each.ask.cost === cost`, `if (each.ask.cost === cost`)],
    killer: [TOKEN_LEASES, 'is not answered to who came after a refund that it may not have seen'],
  },
  {
    name: 'user with the name of an address',
    rule: 'RATE',
    edits: [edit('rate-limit/rules.ts', 'return `${by}:${keyPart(own)}`', 'return `ip:${keyPart(own)}`')],
    killer: [LIMIT_RULES, 'is told apart from an address by which its name is'],
  },
]
