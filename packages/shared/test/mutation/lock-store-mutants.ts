import {
  edit,
  inShared,
  LOCK_STORE_MEMORY,
  LOCK_STORE_ON_REDIS,
  LOCK_STORE_REDIS_ONLY,
  type Mutant,
  SCRIPTS,
} from './mutant.js'

const MEMORY = 'lock/stores/memory.ts'

const inLine = inShared('lock/lua/include/line.lua')
const ACQUIRE = `if redis.call('SISMEMBER'`
const RELEASE = `local given = 0\nif ARGV[1] ~= ''`

/** Who holds, who waits, and with which fence: each rule of the store, on Redis and in memory. */
export const LOCK_STORE_MUTANTS: readonly Mutant[] = [
  {
    name: 'short way past those who wait',
    rule: 'LOCK',
    edits: [edit(SCRIPTS, `redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[5])`, `redis.call('EXISTS', KEYS[1], KEYS[5])`)],
    killer: [LOCK_STORE_ON_REDIS, 'lets nobody past who comes later'],
  },
  {
    name: 'short way past the holder',
    rule: 'LOCK',
    edits: [edit(SCRIPTS, `redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[5])`, `redis.call('EXISTS', KEYS[2], KEYS[5])`)],
    killer: [LOCK_STORE_ON_REDIS, 'holds a free lock; another is refused'],
  },
  {
    name: 'short way for a token that was given up',
    rule: 'LOCK',
    edits: [edit(SCRIPTS, `redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[5])`, `redis.call('EXISTS', KEYS[1], KEYS[2])`)],
    killer: [LOCK_STORE_ON_REDIS, 'refuses a copy of the call that comes later'],
  },
  {
    name: 'fence of the short way is the time alone',
    rule: 'LOCK',
    edits: [edit(SCRIPTS, `if last and tonumber(last) >= micros then`, `if false then`)],
    killer: [LOCK_STORE_REDIS_ONLY, 'grows though Redis’ clock is behind'],
  },
  {
    name: 'nobody woken on the short way out',
    rule: 'LOCK',
    edits: [edit(SCRIPTS, `if not ARGV[2] and redis.call('EXISTS', KEYS[2]) == 0 then`, `if not ARGV[2] then`)],
    killer: [LOCK_STORE_ON_REDIS, 'reach the process whose turn it is'],
  },
  {
    name: 'fence not floored by time',
    rule: 'LOCK',
    edits: [
      edit(SCRIPTS, `math.max(micros, (redis.call('GET', KEYS[4]) or 0) + 1)`, `(redis.call('GET', KEYS[4]) or 0) + 1`),
    ],
    killer: [LOCK_STORE_REDIS_ONLY, 'grows over the loss of its counter also'],
  },
  {
    name: 'fence is the time alone',
    rule: 'LOCK',
    edits: [edit(SCRIPTS, `math.max(micros, (redis.call('GET', KEYS[4]) or 0) + 1)`, `micros`)],
    killer: [LOCK_STORE_REDIS_ONLY, 'grows though Redis’ clock is behind'],
  },
  {
    name: 'fence kept no longer than the holder',
    rule: 'LOCK',
    edits: [edit(SCRIPTS, `local FENCE_MS = 7 * 86400000`, `local FENCE_MS = ARGV[2]`)],
    killer: [LOCK_STORE_REDIS_ONLY, 'is remembered when nobody holds the lock'],
  },
  {
    name: 'fence not grown when asked again',
    rule: 'LOCK',
    edits: [
      edit(
        SCRIPTS,
        `  redis.call('SET', KEYS[4], fence, 'PX', FENCE_MS)
  forget(`,
        `  if held then
    fence = redis.call('GET', KEYS[4])
  end
  redis.call('SET', KEYS[4], fence, 'PX', FENCE_MS)
  forget(`,
      ),
    ],
    killer: [LOCK_STORE_ON_REDIS, 'grows with each grant, whatever ended the one before'],
  },
  {
    name: 'expired holders not swept',
    rule: 'LOCK',
    edits: [inLine(ACQUIRE, `redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)`, ``)],
    killer: [LOCK_STORE_REDIS_ONLY, 'each end at their own time, though another goes on'],
  },
  {
    name: 'holders’ key ends with the last who came',
    rule: 'LOCK',
    edits: [edit(SCRIPTS, `if redis.call('PTTL', key) < ms then`, `if ms > 0 then`)],
    killer: [LOCK_STORE_REDIS_ONLY, 'each end at their own time, though another goes on'],
  },
  {
    name: 'late copy of a question takes time',
    rule: 'LOCK',
    edits: [
      edit(
        SCRIPTS,
        `'GT', string.format('%.0f', now + ARGV[2]), ARGV[1])
  keep(`,
        `string.format('%.0f', now + ARGV[2]), ARGV[1])
  keep(`,
      ),
    ],
    killer: [LOCK_STORE_ON_REDIS, 'never has less time than it had'],
  },
  {
    name: 'late extension takes time',
    rule: 'LOCK',
    edits: [
      edit(
        SCRIPTS,
        `'GT', string.format('%.0f', now + ARGV[2]), ARGV[1])
if redis`,
        `string.format('%.0f', now + ARGV[2]), ARGV[1])
if redis`,
      ),
    ],
    killer: [LOCK_STORE_ON_REDIS, 'never takes time away'],
  },
  {
    name: 'extension revives a lock that is gone',
    rule: 'LOCK',
    edits: [
      edit(
        SCRIPTS,
        `if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
`,
        ``,
      ),
    ],
    killer: [LOCK_STORE_ON_REDIS, 'is refused to who has lost the lock'],
  },
  {
    name: 'extension revives a lock that is over',
    rule: 'LOCK',
    edits: [
      edit(
        SCRIPTS,
        `redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then`,
        `if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then`,
      ),
    ],
    killer: [LOCK_STORE_REDIS_ONLY, 'each end at their own time, though another goes on'],
  },
  {
    name: 'call that lands after its deadline is granted',
    rule: 'LOCK',
    edits: [edit(SCRIPTS, `if tonumber(ARGV[3]) > 0 and now > tonumber(ARGV[3]) then`, `if false then`)],
    killer: [LOCK_STORE_REDIS_ONLY, 'gets nothing, not even a place, and says so'],
  },
  {
    name: 'token that was given up is granted',
    rule: 'LOCK',
    edits: [edit(SCRIPTS, `if redis.call('SISMEMBER', KEYS[5], ARGV[1]) == 1 then`, `if false then`)],
    killer: [LOCK_STORE_ON_REDIS, 'refuses a copy of the call that comes later'],
  },
  {
    name: 'past the line while the lock is free',
    rule: 'LOCK',
    edits: [edit(SCRIPTS, `(not waiter or waiter == ARGV[5] or passes) and admits(ARGV[4])`, `admits(ARGV[4])`)],
    killer: [LOCK_STORE_ON_REDIS, 'lets nobody past who comes later'],
  },
  {
    name: 'reader past a writer that waits',
    rule: 'LOCK',
    edits: [edit(SCRIPTS, `or passes) and admits(ARGV[4])`, `or passes or ARGV[4] ~= 'x') and admits(ARGV[4])`)],
    killer: [LOCK_STORE_ON_REDIS, 'a reader behind a writer that waits, waits'],
  },
  {
    name: 'heartbeat renews the ticket',
    rule: 'LOCK',
    edits: [edit(SCRIPTS, `if not redis.call('ZSCORE', KEYS[2], waiter) then`, `if waiter then`)],
    killer: [LOCK_STORE_ON_REDIS, 'keeps the place of a process that is heard of'],
  },
  {
    name: 'old ticket for the turn after a grant',
    rule: 'LOCK',
    edits: [
      edit(
        SCRIPTS,
        `  forget(ARGV[5])
  if next ~= '' then`,
        `  if next == '' then
    forget(ARGV[5])
  else`,
      ),
    ],
    killer: [LOCK_STORE_ON_REDIS, 'has the place of its next turn behind those who waited'],
  },
  {
    name: 'dead waiter not passed',
    rule: 'LOCK',
    edits: [inLine(ACQUIRE, `if alive and tonumber(alive) > now then`, `if alive then`)],
    killer: [LOCK_STORE_ON_REDIS, 'passes a process that is not heard of'],
  },
  {
    name: 'one permit too many',
    rule: 'LOCK',
    edits: [inLine(ACQUIRE, `holders >= tonumber(mode)`, `holders > tonumber(mode)`)],
    killer: [LOCK_STORE_ON_REDIS, 'as many as there are permits'],
  },
  {
    name: 'reader beside a writer',
    rule: 'LOCK',
    edits: [inLine(ACQUIRE, `return string.sub(redis.call('ZRANGE', KEYS[1], 0, 0)[1], 1, 1) ~= 'x'`, `return true`)],
    killer: [LOCK_STORE_ON_REDIS, 'readers together, a writer alone'],
  },
  {
    name: 'last in the line is woken',
    rule: 'LOCK',
    edits: [
      inLine(
        RELEASE,
        `  local waiter, mode = first()
  if waiter and admits(mode) then`,
        `  local waiter, mode = first()
  waiter = redis.call('ZRANGE', KEYS[2], -1, -1)[1]
  if waiter and admits(mode) then`,
      ),
    ],
    killer: [LOCK_STORE_ON_REDIS, 'reach the process whose turn it is'],
  },
  {
    name: 'woken though it would be refused',
    rule: 'LOCK',
    edits: [inLine(RELEASE, `if waiter and admits(mode) then`, `if waiter then`)],
    killer: [LOCK_STORE_ON_REDIS, 'don’t come while the one whose turn it is would be refused'],
  },
  {
    name: 'nobody woken when a waiter leaves',
    rule: 'LOCK',
    edits: [
      edit(
        SCRIPTS,
        `wake()
return given`,
        `if given == 1 then
  wake()
end
return given`,
      ),
    ],
    killer: [LOCK_STORE_ON_REDIS, 'come when the one in front leaves the line'],
  },
  {
    name: 'nobody woken by a reader that came in',
    rule: 'LOCK',
    edits: [
      edit(
        SCRIPTS,
        `  if ARGV[4] ~= 'x' then
    wake()
  end
`,
        ``,
      ),
    ],
    killer: [LOCK_STORE_ON_REDIS, 'go on from one who holds with others to the next'],
  },
  {
    name: 'nobody woken by who gives back and waits',
    rule: 'LOCK',
    edits: [
      edit(
        SCRIPTS,
        `if given == 1 then
  wake()
end`,
        ``,
      ),
    ],
    killer: [LOCK_STORE_ON_REDIS, 'without the right to pass gives back, and stands behind who waits'],
  },
  {
    name: 'memory keeps locks that nobody has',
    rule: 'LOCK',
    edits: [
      edit(
        MEMORY,
        `    this.wake(lock, state, now)
    if (isFree(state)) this.locks.delete(lockId(lock))`,
        `    this.wake(lock, state, now)`,
      ),
    ],
    killer: [LOCK_STORE_MEMORY, 'leave nothing behind when they are given back'],
  },
  {
    name: 'memory keeps locks that were not given back',
    rule: 'LOCK',
    edits: [edit(MEMORY, `      this.sweep(now)\n`, ``)],
    killer: [LOCK_STORE_MEMORY, 'go in time when they were not given back'],
  },
]
