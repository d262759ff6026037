-- Asks for a lock: the first try, the claim of whoever was woken, the heartbeat of whoever waits, and the retry after a lost reply are all
-- this call. The same token asks as often as it likes and holds once. With a token to give back, both happen in one step.
-- KEYS 1 holders  2 line  3 waiters  4 fence  5 tokens that were given up
-- ARGV 1 holder  2 time to live, ms  3 not after, Redis ms; 0 always  4 mode  5 waiter  6 how long the waiter counts as alive, ms; 0 does not wait
--      where one is needed: 7 holder that gives its place back, or empty  8 1: may pass those who wait  9 mode of the waiter's next turn, or empty
-- Returns { 1 granted | 0 not | -1 nothing done, it is too late, fence, ms until another call may fare better, 1 what was given back was held }
local FENCE_MS = 7 * 86400000
local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)
if tonumber(ARGV[3]) > 0 and now > tonumber(ARGV[3]) then
  return { -1, '', 0, 0 }
end

-- The usual case: nobody holds the lock, nobody waits, nobody is next, and no call was given up. It does what is done below in half the time.
if not ARGV[7] and redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[5]) == 0 then
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  local fence = string.format('%.0f', micros)
  local last = redis.call('SET', KEYS[4], fence, 'PX', FENCE_MS, 'GET')
  if last and tonumber(last) >= micros then
    fence = string.format('%.0f', last + 1)
    redis.call('SET', KEYS[4], fence, 'PX', FENCE_MS)
  end
  return { 1, fence, 0, 0 }
end

-- include line.lua
if redis.call('SISMEMBER', KEYS[5], ARGV[1]) == 1 then
  return { -1, '', 0, 0 }
end

local function keep(key, ms)
  if redis.call('PTTL', key) < ms then
    redis.call('PEXPIRE', key, ms)
  end
end

-- At the end of the line, unless the waiter has a place already.
local function place(waiter, mode)
  local alive = tonumber(ARGV[6])
  if not redis.call('ZSCORE', KEYS[2], waiter) then
    local last = tonumber(redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2] or 0)
    redis.call('ZADD', KEYS[2], string.format('%.0f', math.max(micros, last + 1)), waiter)
  end
  redis.call('HSET', KEYS[3], waiter, string.format('%.0f ', now + alive) .. mode)
  keep(KEYS[2], 2 * alive)
  keep(KEYS[3], 2 * alive)
end

local back, passes, next = ARGV[7] or '', ARGV[8] == '1', ARGV[9] or ''
local given = 0
if back ~= '' then
  given = redis.call('ZREM', KEYS[1], back)
end

local held = redis.call('ZSCORE', KEYS[1], ARGV[1])
local waiter, mode, alive = nil, nil, nil
if not held then
  waiter, mode, alive = first()
end
if held or ((not waiter or waiter == ARGV[5] or passes) and admits(ARGV[4])) then
  -- A copy of an earlier question may come late: it takes no time away.
  redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', now + ARGV[2]), ARGV[1])
  keep(KEYS[1], tonumber(ARGV[2]))
  local fence = string.format('%.0f', math.max(micros, (redis.call('GET', KEYS[4]) or 0) + 1))
  redis.call('SET', KEYS[4], fence, 'PX', FENCE_MS)
  forget(ARGV[5])
  if next ~= '' then
    place(ARGV[5], next)
  end
  if ARGV[4] ~= 'x' then
    wake()
  end
  return { 1, fence, 0, given }
end

if tonumber(ARGV[6]) > 0 then
  place(ARGV[5], ARGV[4])
end
if given == 1 then
  wake()
end
local ends = tonumber(redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or now)
if waiter and waiter ~= ARGV[5] then
  ends = alive
end
return { 0, '', math.max(1, ends - now + 1), given }
