// Generated from the .lua files by `npm run scripts:gen`. Change those, not this.
import type { Script } from './script.js'

/** Every script of the toolkit, as it is sent: without comments and blank lines. */
export const SCRIPTS = {
  /** cache/lua/acquire.lua */
  cacheAcquire: {
    name: 'cacheAcquire',
    sha: 'a3dcf75164d02424c2b54e48262b47113cc68d2b',
    lua: `local held = redis.call('GET', KEYS[1])
if held then
  return { held, redis.call('PTTL', KEYS[1]) }
end
local time = redis.call('TIME')
local value = ARGV[1] .. ':' .. time[1] .. string.format('%06d', time[2])
redis.call('SET', KEYS[1], value, 'PX', ARGV[2])
return { value, tonumber(ARGV[2]) }`,
  },
  /** cache/lua/bump.lua */
  cacheBump: {
    name: 'cacheBump',
    sha: 'fd50efe35c3d4f002076a3f5603d12bf781dcee0',
    lua: `#!lua flags=allow-oom
local s = tonumber(redis.call('ZINCRBY', KEYS[1], 2, '#s'))
local mark = string.format('%.0f', s - 1)
local firstTag = 4 + tonumber(ARGV[3])
for first = firstTag, #ARGV, 1000 do
  local members = {}
  for i = first, math.min(first + 999, #ARGV) do
    members[#members + 1] = mark
    members[#members + 1] = 't:' .. ARGV[i]
  end
  redis.call('ZADD', KEYS[1], unpack(members))
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 4, firstTag - 1 do
  local ends = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if ends and (ARGV[2] == 'all' or tonumber(ends) <= now) then
    redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
local below = '(' .. string.format('%.0f', s)
local marks = redis.call('ZCOUNT', KEYS[1], '(0', below)
local excess = marks - (redis.call('ZSCORE', KEYS[1], '#f') and 1 or 0) - tonumber(ARGV[1])
if excess > 0 then
  local left = excess + math.floor(tonumber(ARGV[1]) / 100)
  local floor
  while left > 0 do
    local oldest = redis.call('ZRANGE', KEYS[1], '(0', below, 'BYSCORE', 'LIMIT', 0, math.min(left, 1000) + 1, 'WITHSCORES')
    local gone = {}
    for i = 1, #oldest, 2 do
      if oldest[i] ~= '#f' and #gone < left then
        gone[#gone + 1] = oldest[i]
        floor = oldest[i + 1]
      end
    end
    if #gone == 0 then
      break
    end
    redis.call('ZREM', KEYS[1], unpack(gone))
    left = left - #gone
  end
  if floor then
    redis.call('ZADD', KEYS[1], 'GT', floor, '#f')
  end
end
return string.format('%.0f', s)`,
  },
  /** cache/lua/clear.lua */
  cacheClear: {
    name: 'cacheClear',
    sha: 'c4ada5ca7ab3c7c547a2334ee2d4821d2616a6bb',
    lua: `#!lua flags=allow-oom
return redis.call('ZADD', KEYS[1], 'XX', 'INCR', ARGV[1], '#g')`,
  },
  /** cache/lua/clock.lua */
  cacheClock: {
    name: 'cacheClock',
    sha: 'a0fb9602d8dce2d6a84beb8dd260d70426c94325',
    lua: `#!lua flags=allow-oom
local g = redis.call('ZSCORE', KEYS[1], '#g')
if not g and ARGV[3] == '1' then
  local time = redis.call('TIME')
  local new = 2 ^ 45 + (tonumber(ARGV[1]) + time[1] * 1000000 + time[2]) % 2 ^ 44
  redis.call('DEL', KEYS[1])
  redis.call('ZADD', KEYS[1], string.format('%.0f', new), '#g', 2, '#s')
elseif g and ARGV[2] ~= '' and not redis.call('ZSCORE', KEYS[1], 'r:' .. ARGV[2]) then
  redis.call('ZINCRBY', KEYS[1], string.format('%.0f', 1 + tonumber(ARGV[1]) % 2 ^ 20), '#g')
  redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, 0)
  g = false
end
if not g and ARGV[2] ~= '' and redis.call('ZSCORE', KEYS[1], '#g') then
  redis.call('ZADD', KEYS[1], 0, 'r:' .. ARGV[2])
end
return redis.call('ZMSCORE', KEYS[1], '#g', '#s', '#f')`,
  },
  /** cache/lua/fill.lua */
  cacheFill: {
    name: 'cacheFill',
    sha: 'f8bafa72d45e6830d3b3b7796e7e643748087c28',
    lua: `if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
local tail = ARGV[3]
local g, version = string.match(redis.call('GETRANGE', KEYS[1], 0, 200), '^v1 %a (%d+) %S+ %d+ %d+ %d+ %S+ (%d+) ')
local _, last = string.find(tail, '^%d+ %d+ ')
if version and g == string.sub(ARGV[2], 6, 19) and string.sub(tail, last + 1, last + 2) == '- ' then
  tail = string.sub(tail, 1, last) .. version .. string.sub(tail, last + 2)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], string.format('%s%013.0f %013.0f ', ARGV[2], now + ARGV[4], now + ARGV[5]) .. tail, 'PX', ARGV[5])
redis.call('DEL', KEYS[2])
return 1`,
  },
  /** cache/lua/hold.lua */
  cacheHold: {
    name: 'cacheHold',
    sha: '7a51d7ec1ed9346368359fd5e540e97470265745',
    lua: `#!lua flags=allow-oom
if not redis.call('ZSCORE', KEYS[1], '#g') then
  return -1
end
local new = 0
for i = 4, #ARGV do
  if not redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    new = new + 1
  end
end
if ARGV[2] == 'renew' then
  if new > 0 then
    return 0
  end
elseif redis.call('ZCOUNT', KEYS[1], 2 ^ 40, string.format('(%.0f', 2 ^ 45)) + new > tonumber(ARGV[3]) then
  return 0
end
local time = redis.call('TIME')
local ends = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1])
for i = 4, #ARGV do
  redis.call('ZADD', KEYS[1], ends, ARGV[i])
end
return 1`,
  },
  /** cache/lua/mark-clear.lua */
  cacheMarkClear: {
    name: 'cacheMarkClear',
    sha: '476b6063439f1e7d4ff47d0028b76128b50dc333',
    lua: `#!lua flags=allow-oom
return redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])`,
  },
  /** cache/lua/reclaim.lua */
  cacheReclaim: {
    name: 'cacheReclaim',
    sha: 'ff133f241f5377a21cef6c961e6734d073a6c0e5',
    lua: `local gone = 0
for _, key in ipairs(KEYS) do
  local head = redis.pcall('GETRANGE', key, 0, 18)
  if type(head) == 'string' and head ~= '' then
    local g = string.match(head, '^v1 %a (%d+)')
    if (g and tonumber(g) < tonumber(ARGV[1])) or not string.find(head, '^v%d+ ') then
      gone = gone + redis.call('UNLINK', key)
    end
  end
end
return gone`,
  },
  /** cache/lua/release.lua */
  cacheRelease: {
    name: 'cacheRelease',
    sha: 'd52b5f890d537900545a64ac383fd7fa2f57d98b',
    lua: `if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])`,
  },
  /** cache/lua/remove.lua */
  cacheRemove: {
    name: 'cacheRemove',
    sha: '740d576bcae00d1784c69cf72ee2aeb7153d22ad',
    lua: `return redis.call('UNLINK', KEYS[1])`,
  },
  /** cache/lua/renew.lua */
  cacheRenew: {
    name: 'cacheRenew',
    sha: 'a889964467d92d432fa7f0a8955a56eb1bb33f8a',
    lua: `if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`,
  },
  /** cache/lua/set-version.lua */
  cacheSetVersion: {
    name: 'cacheSetVersion',
    sha: '3e294bb5475e3ce0e6479a8a160e596ad54d0814',
    lua: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[1]) then
  return 0
end
local g, there = string.match(redis.call('GETRANGE', KEYS[1], 0, 200), '^v1 %a (%d+) %S+ %d+ %d+ %d+ %S+ (%d+) ')
if there and g >= string.sub(ARGV[2], 6, 19) and (#there > #ARGV[6] or (#there == #ARGV[6] and there > ARGV[6])) then
  return 2
end
redis.call('SET', KEYS[1], string.format('%s%013.0f %013.0f ', ARGV[2], now + ARGV[4], now + ARGV[5]) .. ARGV[3], 'PX', ARGV[5])
redis.call('DEL', KEYS[2])
return 1`,
  },
  /** cache/lua/set.lua */
  cacheSet: {
    name: 'cacheSet',
    sha: 'e8a4a644c057c1ff6638d8b2d2c3e717f6a7bc07',
    lua: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], string.format('%s%013.0f %013.0f ', ARGV[2], now + ARGV[4], now + ARGV[5]) .. ARGV[3], 'PX', ARGV[5])
return 1`,
  },
  /** cache/lua/signal.lua */
  cacheSignal: {
    name: 'cacheSignal',
    sha: '476b6063439f1e7d4ff47d0028b76128b50dc333',
    lua: `#!lua flags=allow-oom
return redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])`,
  },
  /** cache/lua/touch.lua */
  cacheTouch: {
    name: 'cacheTouch',
    sha: '9873894de62fa51446155b860101dce510c2c5f1',
    lua: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local entry = redis.call('GET', KEYS[1])
local tail = #ARGV[2] + 29
if not entry or now > tonumber(ARGV[1]) or string.sub(entry, 1, #ARGV[2]) ~= ARGV[2]
  or string.sub(entry, tail, tail + #ARGV[3] - 1) ~= ARGV[3] then
  return 0
end
local head = string.format('%s%013.0f %013.0f ', ARGV[2], now + ARGV[4], now + ARGV[5])
redis.call('SET', KEYS[1], head .. string.sub(entry, tail), 'PX', ARGV[5])
return 1`,
  },
  /** lock/lua/acquire.lua */
  lockAcquire: {
    name: 'lockAcquire',
    sha: 'fb7905d8dd144fc268b7d99fc87305d824e03611',
    lua: `local FENCE_MS = 7 * 86400000
local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)
if tonumber(ARGV[3]) > 0 and now > tonumber(ARGV[3]) then
  return { -1, '', 0, 0 }
end
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
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local function forget(waiter)
  redis.call('ZREM', KEYS[2], waiter)
  redis.call('HDEL', KEYS[3], waiter)
end
local function first()
  while true do
    local waiter = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
    if not waiter then
      return nil
    end
    local alive, mode = string.match(redis.call('HGET', KEYS[3], waiter) or '', '^(%d+) (%w+)$')
    if alive and tonumber(alive) > now then
      return waiter, mode, tonumber(alive)
    end
    forget(waiter)
  end
end
local function admits(mode)
  local holders = redis.call('ZCARD', KEYS[1])
  if holders == 0 then
    return true
  end
  if mode == 'x' or holders >= tonumber(mode) then
    return false
  end
  return string.sub(redis.call('ZRANGE', KEYS[1], 0, 0)[1], 1, 1) ~= 'x'
end
local function wake()
  local waiter, mode = first()
  if waiter and admits(mode) then
    redis.pcall('PUBLISH', string.match(KEYS[1], '^[^@]+@lock:') .. 'wake:' .. waiter, KEYS[1])
  end
end
if redis.call('SISMEMBER', KEYS[5], ARGV[1]) == 1 then
  return { -1, '', 0, 0 }
end
local function keep(key, ms)
  if redis.call('PTTL', key) < ms then
    redis.call('PEXPIRE', key, ms)
  end
end
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
return { 0, '', math.max(1, ends - now + 1), given }`,
  },
  /** lock/lua/extend.lua */
  lockExtend: {
    name: 'lockExtend',
    sha: '58f01b15d382d4e906f06312245afb749c826d27',
    lua: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', now + ARGV[2]), ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1`,
  },
  /** lock/lua/release.lua */
  lockRelease: {
    name: 'lockRelease',
    sha: '378f228881f9dc6259b01a5e22503678a0014a88',
    lua: `if not ARGV[2] and redis.call('EXISTS', KEYS[2]) == 0 then
  return redis.call('ZREM', KEYS[1], ARGV[1])
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local function forget(waiter)
  redis.call('ZREM', KEYS[2], waiter)
  redis.call('HDEL', KEYS[3], waiter)
end
local function first()
  while true do
    local waiter = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
    if not waiter then
      return nil
    end
    local alive, mode = string.match(redis.call('HGET', KEYS[3], waiter) or '', '^(%d+) (%w+)$')
    if alive and tonumber(alive) > now then
      return waiter, mode, tonumber(alive)
    end
    forget(waiter)
  end
end
local function admits(mode)
  local holders = redis.call('ZCARD', KEYS[1])
  if holders == 0 then
    return true
  end
  if mode == 'x' or holders >= tonumber(mode) then
    return false
  end
  return string.sub(redis.call('ZRANGE', KEYS[1], 0, 0)[1], 1, 1) ~= 'x'
end
local function wake()
  local waiter, mode = first()
  if waiter and admits(mode) then
    redis.pcall('PUBLISH', string.match(KEYS[1], '^[^@]+@lock:') .. 'wake:' .. waiter, KEYS[1])
  end
end
local given = 0
if ARGV[1] ~= '' then
  given = redis.call('ZREM', KEYS[1], ARGV[1])
end
local leaves, refused = ARGV[2] or '', tonumber(ARGV[3] or 0)
if leaves ~= '' then
  forget(leaves)
end
if refused > 0 then
  redis.call('SADD', KEYS[4], ARGV[1])
  redis.call('PEXPIRE', KEYS[4], refused)
end
wake()
return given`,
  },
  /** rate-limit/lua/enter.lua */
  rateLimitEnter: {
    name: 'rateLimitEnter',
    sha: '99d1b1cf19f9b9d1c562aff245d326f836266484',
    lua: `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local mine = redis.call('ZSCORE', KEYS[1], ARGV[1])
local taken = redis.call('ZCOUNT', KEYS[1], string.format('(%.0f', now), '+inf')
if mine and tonumber(mine) > now then
  taken = taken - 1
end
if taken >= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', now + ARGV[3]), ARGV[1])
local last = tonumber(redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', last - now + 1000))
return 1`,
  },
  /** rate-limit/lua/hit.lua */
  rateLimitHit: {
    name: 'rateLimitHit',
    sha: 'ffc2bda62bf561b3689df3336cde862fd4e5b0ed',
    lua: `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local by, window, limit, block = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local hits, ends, opens = 0, 0, 0
local text = redis.call('GET', KEYS[1])
if text then
  local first, second, third = string.match(text, '^(%d+) (%d+) (%d+)$')
  hits, ends, opens = tonumber(first), tonumber(second), tonumber(third)
end
if opens > now then
  return { hits, math.max(0, ends - now), opens - now }
end
if ends <= now or opens > 0 then
  hits, ends, opens = 0, now + window, 0
end
if by == 0 or by < 0 and hits == 0 then
  return { hits, hits > 0 and ends - now or 0, 0 }
end
hits = hits + by
if by > 0 and block > 0 and limit >= 0 and hits > limit then
  opens = now + block
end
local stays = math.max(ends, opens) - now
redis.call('SET', KEYS[1], string.format('%.0f %.0f %.0f', hits, ends, opens), 'PX', stays + 1000)
return { hits, ends - now, math.max(0, opens - now) }`,
  },
  /** rate-limit/lua/refund.lua */
  rateLimitRefund: {
    name: 'rateLimitRefund',
    sha: 'ee491395992674887b603aa5f99b0c21853a30d5',
    lua: `local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local function quotient(a, b)
  local rest = math.fmod(a, b)
  if rest < 0 then
    rest = rest + b
  end
  return (a - rest) / b
end
local function quotient_up(a, b)
  return -quotient(-a, b)
end
local function left(window, at, now)
  return math.min(window, (at + 1) * window - now)
end
local function settle(kind, limit, window, text, now)
  local used, at, before = 0, 0, 0
  if text then
    local first, second, third = string.match(text, '^(%d+) (%d+) (%d+)$')
    used, at, before = tonumber(first), tonumber(second), tonumber(third)
  end
  if kind == 'b' then
    return math.max(0, used - math.max(0, now - at) * limit), now, 0
  end
  if kind == 'f' then
    if now >= at or used == 0 then
      return 0, now + window, 0
    end
    return used, math.min(at, now + window), 0
  end
  local current = quotient(now, window)
  if at >= current then
    return used, at, before
  end
  return 0, current, at == current - 1 and used or 0
end
local function free(kind, limit, burst, window, used, at, before, now)
  if kind == 'b' then
    return quotient(burst * window - used, window)
  end
  if kind == 'f' then
    return limit - used
  end
  return quotient((limit - used) * window - before * left(window, at, now), window)
end
local function wait(kind, limit, burst, window, used, at, before, now, cost)
  if cost > burst then
    return window
  end
  if kind == 'b' then
    return quotient_up(used - (burst - cost) * window, limit)
  end
  if kind == 'f' then
    return at - now
  end
  if used + cost <= limit then
    return left(window, at, now) - quotient((limit - used - cost) * window, before)
  end
  return left(window, at, now) + math.max(0, window - quotient((limit - cost) * window, used))
end
local function ends(kind, limit, window, used, at, before, now)
  if kind == 'b' then
    return used == 0 and 0 or limit == 0 and window or quotient_up(used, limit)
  end
  if kind == 'f' then
    return used > 0 and at - now or 0
  end
  return used > 0 and left(window, at, now) + window or before > 0 and left(window, at, now) or 0
end
local function us(ticks, tick)
  return ticks == 0 and 0 or math.min(ticks * tick, 9000000000000000) - math.fmod(micros, tick)
end
local function keep(key, used, at, before, reset)
  redis.call('SET', key, string.format('%.0f %.0f %.0f', used, at, before), 'PX', quotient_up(reset, 1000) + 1000)
end
local place = 2
for i = 1, #KEYS do
  local kind, limit, window, tick, units = unpack(ARGV, place + 1, place + 5)
  limit, window, tick, units = tonumber(limit), tonumber(window), tonumber(tick), tonumber(units)
  place = place + 5
  local text = redis.call('GET', KEYS[i])
  if text then
    local now = quotient(micros, tick)
    local used, at, before = settle(kind, limit, window, text, now)
    if kind == 'b' then
      used = math.max(0, used - units * window)
    else
      before = math.max(0, before - math.max(0, units - used))
      used = math.max(0, used - units)
    end
    keep(KEYS[i], used, at, before, us(ends(kind, limit, window, used, at, before, now), tick))
  end
  redis.call('PUBLISH', ARGV[1], 'c' .. string.sub(KEYS[i], ARGV[2] + 1))
end
return 1`,
  },
  /** rate-limit/lua/reset.lua */
  rateLimitReset: {
    name: 'rateLimitReset',
    sha: '1de93b6a9dfe7a97ce8aa88b63b3b7e29719d07f',
    lua: `redis.call('DEL', unpack(KEYS))
for i = 1, #KEYS do
  redis.call('PUBLISH', ARGV[1], 'c' .. string.sub(KEYS[i], ARGV[2] + 1))
end
return 1`,
  },
  /** rate-limit/lua/seen.lua */
  rateLimitSeen: {
    name: 'rateLimitSeen',
    sha: '454b33d7c24bb2a506f0d3147c13cca035f92165',
    lua: `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - ARGV[2]))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[2] + 1000))
return redis.call('ZCARD', KEYS[1])`,
  },
  /** rate-limit/lua/take.lua */
  rateLimitTake: {
    name: 'rateLimitTake',
    sha: '7fbcf54024fe1441f7e9f776c0baf7141c3e31bf',
    lua: `local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local function quotient(a, b)
  local rest = math.fmod(a, b)
  if rest < 0 then
    rest = rest + b
  end
  return (a - rest) / b
end
local function quotient_up(a, b)
  return -quotient(-a, b)
end
local function left(window, at, now)
  return math.min(window, (at + 1) * window - now)
end
local function settle(kind, limit, window, text, now)
  local used, at, before = 0, 0, 0
  if text then
    local first, second, third = string.match(text, '^(%d+) (%d+) (%d+)$')
    used, at, before = tonumber(first), tonumber(second), tonumber(third)
  end
  if kind == 'b' then
    return math.max(0, used - math.max(0, now - at) * limit), now, 0
  end
  if kind == 'f' then
    if now >= at or used == 0 then
      return 0, now + window, 0
    end
    return used, math.min(at, now + window), 0
  end
  local current = quotient(now, window)
  if at >= current then
    return used, at, before
  end
  return 0, current, at == current - 1 and used or 0
end
local function free(kind, limit, burst, window, used, at, before, now)
  if kind == 'b' then
    return quotient(burst * window - used, window)
  end
  if kind == 'f' then
    return limit - used
  end
  return quotient((limit - used) * window - before * left(window, at, now), window)
end
local function wait(kind, limit, burst, window, used, at, before, now, cost)
  if cost > burst then
    return window
  end
  if kind == 'b' then
    return quotient_up(used - (burst - cost) * window, limit)
  end
  if kind == 'f' then
    return at - now
  end
  if used + cost <= limit then
    return left(window, at, now) - quotient((limit - used - cost) * window, before)
  end
  return left(window, at, now) + math.max(0, window - quotient((limit - cost) * window, used))
end
local function ends(kind, limit, window, used, at, before, now)
  if kind == 'b' then
    return used == 0 and 0 or limit == 0 and window or quotient_up(used, limit)
  end
  if kind == 'f' then
    return used > 0 and at - now or 0
  end
  return used > 0 and left(window, at, now) + window or before > 0 and left(window, at, now) or 0
end
local function us(ticks, tick)
  return ticks == 0 and 0 or math.min(ticks * tick, 9000000000000000) - math.fmod(micros, tick)
end
local function keep(key, used, at, before, reset)
  redis.call('SET', key, string.format('%.0f %.0f %.0f', used, at, before), 'PX', quotient_up(reset, 1000) + 1000)
end
local spending = ARGV[1] == '1'
local specs, place = {}, 2
for i = 1, tonumber(ARGV[2]) do
  local kind, limit, burst, window, tick = unpack(ARGV, place + 1, place + 5)
  tick = tonumber(tick)
  specs[i] = { kind, tonumber(limit), tonumber(burst), tonumber(window), tick, quotient(micros, tick) }
  place = place + 5
end
local replies, key, out = {}, 0, 0
local asks, states = {}, {}
while ARGV[place + 1] do
  local count = tonumber(ARGV[place + 1])
  place = place + 1
  local passes = true
  for i = 1, count do
    local spec = specs[tonumber(ARGV[place + 1])]
    local cost, most = tonumber(ARGV[place + 2]), tonumber(ARGV[place + 3])
    place = place + 3
    local used, at, before = settle(spec[1], spec[2], spec[4], redis.call('GET', KEYS[key + i]), spec[6])
    local room = free(spec[1], spec[2], spec[3], spec[4], used, at, before, spec[6])
    local granted = cost <= room and math.min(most, room) or 0
    passes = passes and granted > 0
    asks[i] = { spec, cost, granted, used, at, before, room }
  end
  for i = 1, count do
    local spec, cost, granted, used, at, before, room = unpack(asks[i])
    local retry = 0
    if granted == 0 then
      retry = us(wait(spec[1], spec[2], spec[3], spec[4], used, at, before, spec[6], cost), spec[5])
    elseif passes and spending then
      used = used + granted * (spec[1] == 'b' and spec[4] or 1)
      room = room - granted
    end
    local reset = us(ends(spec[1], spec[2], spec[4], used, at, before, spec[6]), spec[5])
    if passes and spending then
      keep(KEYS[key + i], used, at, before, reset)
    end
    replies[out + 1], replies[out + 2], replies[out + 3], replies[out + 4] = granted, math.max(0, room), retry, reset
    out = out + 4
  end
  key = key + count
end
return replies`,
  },
} satisfies Record<string, Script>
