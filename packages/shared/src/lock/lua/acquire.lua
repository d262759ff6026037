-- Asks for a lock: the first try, the claim of whoever was woken, the heartbeat of whoever waits, and the retry after a lost reply are all
-- this call. The same token asks as often as it likes and holds once. With a token to give back, both happen in one step.
-- KEYS 1 holders  2 line  3 waiters  4 fence  5 tokens that were given up
-- ARGV 1 holder  2 waiter  3 mode  4 time to live, ms  5 how long the waiter counts as alive, ms; 0 does not wait
--      6 not after, Redis ms; 0 always  7 time to live of the fence, ms  8 channels  9 lock
--      10 holder that gives its place back, or empty  11 1: may pass those who wait  12 mode of the waiter's next turn, or empty
-- Returns { 1 granted | 0 not | -1 nothing done, it is too late, fence, ms until another call may fare better, 1 what was given back was held }
-- include line.lua
if (tonumber(ARGV[6]) > 0 and now > tonumber(ARGV[6])) or redis.call('SISMEMBER', KEYS[5], ARGV[1]) == 1 then
  return { -1, '', 0, 0 }
end
local micros = time[1] * 1000000 + time[2]

local function keep(key, ms)
  if redis.call('PTTL', key) < ms then
    redis.call('PEXPIRE', key, ms)
  end
end

-- At the end of the line, unless the waiter has a place already.
local function place(waiter, mode)
  local alive = tonumber(ARGV[5])
  if not redis.call('ZSCORE', KEYS[2], waiter) then
    local last = tonumber(redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2] or 0)
    redis.call('ZADD', KEYS[2], string.format('%.0f', math.max(micros, last + 1)), waiter)
  end
  redis.call('HSET', KEYS[3], waiter, string.format('%.0f ', now + alive) .. mode)
  keep(KEYS[2], 2 * alive)
  keep(KEYS[3], 2 * alive)
end

local given = 0
if ARGV[10] ~= '' then
  given = redis.call('ZREM', KEYS[1], ARGV[10])
end

local held = redis.call('ZSCORE', KEYS[1], ARGV[1])
local waiter, mode, alive = nil, nil, nil
if not held then
  waiter, mode, alive = first()
end
if held or ((not waiter or waiter == ARGV[2] or ARGV[11] == '1') and admits(ARGV[3])) then
  -- A copy of an earlier question may come late: it takes no time away.
  redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', now + ARGV[4]), ARGV[1])
  keep(KEYS[1], tonumber(ARGV[4]))
  local fence = string.format('%.0f', math.max(micros, (redis.call('GET', KEYS[4]) or 0) + 1))
  redis.call('SET', KEYS[4], fence, 'PX', ARGV[7])
  forget(ARGV[2])
  if ARGV[12] ~= '' then
    place(ARGV[2], ARGV[12])
  end
  if ARGV[3] ~= 'x' then
    wake(ARGV[8], ARGV[9])
  end
  return { 1, fence, 0, given }
end

if tonumber(ARGV[5]) > 0 then
  place(ARGV[2], ARGV[3])
end
if given == 1 then
  wake(ARGV[8], ARGV[9])
end
local ends = tonumber(redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or now)
if waiter and waiter ~= ARGV[2] then
  ends = alive
end
return { 0, '', math.max(1, ends - now + 1), given }
