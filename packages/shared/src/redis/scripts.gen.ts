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
  /** jwt/lua/begin.lua */
  jwtBegin: {
    name: 'jwtBegin',
    sha: 'da80968a4129710f388e1436a59af82b1a4a0bd1',
    lua: `redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'token', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`,
  },
  /** jwt/lua/end.lua */
  jwtEnd: {
    name: 'jwtEnd',
    sha: 'b90514ce689c7a37693a1cdc64376ebd7896ab21',
    lua: `redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
redis.call('DEL', KEYS[1])
redis.pcall('PUBLISH', ARGV[1], KEYS[2])
return 1`,
  },
  /** jwt/lua/mark-before.lua */
  jwtMarkBefore: {
    name: 'jwtMarkBefore',
    sha: '118e0905e5fcbcc24363e0172a63b24870af54e1',
    lua: `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local second = tonumber(ARGV[2]) or tonumber(clock[1])
local known = redis.call('GET', KEYS[1])
if known and tonumber(known) > second then
  second = tonumber(known)
end
local ends = math.max(math.max(now, (second + 1) * 1000) + ARGV[3], redis.call('PEXPIRETIME', KEYS[1]))
redis.call('SET', KEYS[1], string.format('%.0f', second), 'PXAT', string.format('%.0f', ends))
redis.pcall('PUBLISH', ARGV[1], KEYS[1])
return second`,
  },
  /** jwt/lua/mark.lua */
  jwtMark: {
    name: 'jwtMark',
    sha: '12597ce946fcc7ecbf8ec4814edc175a52b955eb',
    lua: `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ends = tonumber(ARGV[3])
if ARGV[2] == 'PX' then
  ends = now + ends
end
if ends <= now or ends <= redis.call('PEXPIRETIME', KEYS[1]) then
  return 0
end
redis.call('SET', KEYS[1], '1', 'PXAT', string.format('%.0f', ends))
redis.pcall('PUBLISH', ARGV[1], KEYS[1])
return 1`,
  },
  /** jwt/lua/rotate.lua */
  jwtRotate: {
    name: 'jwtRotate',
    sha: 'dd3eec7f4945fe4ae044ce646a6551ff9ff4d5a5',
    lua: `if redis.call('EXISTS', KEYS[2]) == 1 then
  return { 'revoked', '' }
end
local token, before, at = unpack(redis.call('HMGET', KEYS[1], 'token', 'before', 'at'))
if not token then
  return { 'unknown', '' }
end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if token == ARGV[2] then
  redis.call('HSET', KEYS[1], 'token', ARGV[3], 'before', ARGV[2], 'at', string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return { 'rotated', ARGV[3] }
end
if before == ARGV[2] and math.abs(now - at) <= tonumber(ARGV[5]) then
  return { 'repeated', token }
end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[4])
redis.call('DEL', KEYS[1])
redis.pcall('PUBLISH', ARGV[1], KEYS[2])
return { 'reused', '' }`,
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
  /** pubsub/lua/append.lua */
  pubsubAppend: {
    name: 'pubsubAppend',
    sha: 'a771ca9e3c154b486c82a57c064a462248fac2f5',
    lua: `if KEYS[2] then
  local known = redis.call('GET', KEYS[2])
  if known then
    return { known, 0 }
  end
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'm', ARGV[2])
redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', math.max(0, now - ARGV[4])))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if KEYS[2] then
  redis.call('SET', KEYS[2], id, 'PX', ARGV[4])
end
redis.call(ARGV[5] == '1' and 'SPUBLISH' or 'PUBLISH', ARGV[1], id .. ' ' .. (last and last[1] or '0-0') .. ' ' .. ARGV[2])
return { id, 1 }`,
  },
  /** pubsub/lua/claim.lua */
  pubsubClaim: {
    name: 'pubsubClaim',
    sha: 'cb9b14ff52626da2eca3cc8022d77d18937fda3b',
    lua: `local function table_of(list)
  local out = {}
  for i = 1, #list, 2 do
    out[list[i]] = list[i + 1]
  end
  return out
end
local reached
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if not groups.err then
  for _, each in ipairs(groups) do
    local group = table_of(each)
    if group.name == ARGV[1] then
      reached = group['last-delivered-id']
    end
  end
end
local looks = ARGV[4] ~= ''
if not reached then
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[5], 'MKSTREAM')
  reached = ARGV[5]
end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local missed = 0
if first and reached ~= '$' and reached ~= '0-0' and #redis.call('XRANGE', KEYS[1], '-', reached, 'COUNT', 1) == 0 then
  missed = 1
end
if looks or redis.call('PTTL', KEYS[1]) < 0 then
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[6]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[6])
  end
  local clock = redis.call('TIME')
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  local old = clock[1] * 1000 + math.floor(clock[2] / 1000) - ARGV[6]
  if last and old > 0 then
    local last_ms = tonumber(string.match(last[1], '^%d+'))
    redis.call('XTRIM', KEYS[1], 'MINID', old < last_ms and string.format('%.0f', old) or last[1])
  end
end
local room = tonumber(ARGV[3])
local found = 0
local out = {}
if looks and room > 0 then
  for _, pending in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[4], '-', '+', room)) do
    found = found + 1
    local entry = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, pending[1])[1]
    if entry and entry[2] then
      out[#out + 1] = { entry[1], entry[2][2], pending[4] + 1 }
    else
      redis.call('XACK', KEYS[1], ARGV[1], pending[1])
      missed = 1
    end
  end
  for _, each in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local consumer = table_of(each)
    if consumer.pending == 0 and consumer.idle > 20 * ARGV[4] then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    end
  end
end
if found < room then
  local fresh = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', room - found, 'STREAMS', KEYS[1], '>')
  if fresh then
    for _, entry in ipairs(fresh[1][2]) do
      found = found + 1
      out[#out + 1] = { entry[1], entry[2][2], 1 }
    end
  end
end
return { missed, (room > 0 and found >= room) and 1 or 0, out }`,
  },
  /** pubsub/lua/keep.lua */
  pubsubKeep: {
    name: 'pubsubKeep',
    sha: '7e41fd491aaa1ddcd229bdfa6372e06a6bdefefb',
    lua: `local mine = {}
for i = 3, #ARGV do
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
  if not pending.err and #pending > 0 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    mine[#mine + 1] = ARGV[i]
  end
end
return mine`,
  },
  /** pubsub/lua/read.lua */
  pubsubRead: {
    name: 'pubsubRead',
    sha: '197e7b77b76f1279912a4e228a2579f433b524c5',
    lua: `local entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local last = newest and newest[1] or '0-0'
local gap = 0
if ARGV[1] ~= '0-0' then
  if #redis.call('XRANGE', KEYS[1], '-', ARGV[1], 'COUNT', 1) == 0 or (#entries == 0 and last ~= ARGV[1]) then
    gap = 1
  end
elseif newest then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  local at = {}
  for i = 1, #info, 2 do
    at[info[i]] = info[i + 1]
  end
  if at['entries-added'] > at['length'] then
    gap = 1
  end
end
return { gap, last, entries }`,
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
    sha: '7dfad8f7bba12c04bb36c3f24df29be031780700',
    lua: `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local by, window, limit, block = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local hits, ends, opens = 0, 0, 0
local text = redis.call('MGET', KEYS[1])[1]
local first, second, third = string.match(text or '', '^(%d+) (%d+) (%d+)$')
if first then
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
    sha: '90d7295e2dd8acc4c1c9b0c0d70c3a6d246eebea',
    lua: `local max, min = math.max, math.min
local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local function quotient(a, b)
  return (a - a % b) / b
end
local function quotient_up(a, b)
  return -quotient(-a, b)
end
local function left(window, at, now)
  return min(window, (at + 1) * window - now)
end
local function spec_after(place)
  local kind, limit, burst, window, tick = unpack(ARGV, place + 1, place + 5)
  limit, burst, window, tick = tonumber(limit), tonumber(burst), tonumber(window), tonumber(tick)
  local now = quotient(micros, tick)
  return { kind = kind, limit = limit, burst = burst, window = window, tick = tick, now = now, past = micros - now * tick }
end
local function state_in(kept)
  if kept and #kept == 24 then
    local used, at, before = struct.unpack('<ddd', kept)
    if used >= 0 and at >= 0 and before >= 0 and used + at + before < 2 ^ 60 then
      return used, at, before
    end
  end
  return 0, 0, 0
end
local function settle(spec, used, at, before)
  local now, window = spec.now, spec.window
  if spec.kind == 'b' then
    if at > now + window then
      return 0, now, 0
    end
    return at < now and max(0, used - (now - at) * spec.limit) or used, now, 0
  end
  if spec.kind == 'f' then
    if now >= at or at > now + 2 * window or used == 0 then
      return 0, now + window, 0
    end
    return used, at, 0
  end
  local current = quotient(now, window)
  if at == current or at == current + 1 then
    return used, at, before
  end
  return 0, current, at == current - 1 and used or 0
end
local function free(spec, used, at, before)
  local window = spec.window
  if spec.kind == 'b' then
    return quotient(spec.burst * window - used, window)
  end
  if spec.kind == 'f' then
    return spec.limit - used
  end
  return quotient((spec.limit - used) * window - before * left(window, at, spec.now), window)
end
local function wait(spec, used, at, before, cost)
  local limit, window = spec.limit, spec.window
  if cost > spec.burst then
    return window
  end
  if spec.kind == 'b' then
    return quotient_up(used - (spec.burst - cost) * window, limit)
  end
  if spec.kind == 'f' then
    return at - spec.now
  end
  if used + cost <= limit then
    return left(window, at, spec.now) - quotient((limit - used - cost) * window, before)
  end
  return left(window, at, spec.now) + max(0, window - quotient((limit - cost) * window, used))
end
local function ends(spec, used, at, before)
  if spec.kind == 'b' then
    return used == 0 and 0 or spec.limit == 0 and spec.window or quotient_up(used, spec.limit)
  end
  if spec.kind == 'f' then
    return used > 0 and at - spec.now or 0
  end
  local rest = left(spec.window, at, spec.now)
  return used > 0 and rest + spec.window or before > 0 and rest or 0
end
local function us(ticks, spec)
  return ticks == 0 and 0 or min(ticks * spec.tick, 9000000000000000) - spec.past
end
local function keep(key, used, at, before, reset)
  redis.call('SET', key, struct.pack('<ddd', used, at, before), 'PX', math.ceil(reset / 1000) + 1000)
end
for i = 1, #KEYS do
  redis.call('PUBLISH', ARGV[1], 'c' .. string.sub(KEYS[i], ARGV[2] + 1))
end
local kept = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
  local place = 6 * i - 4
  local spec, units = spec_after(place), tonumber(ARGV[place + 6])
  if kept[i] then
    local used, at, before = settle(spec, state_in(kept[i]))
    if spec.kind == 'b' then
      used = max(0, used - units * spec.window)
    else
      before = max(0, before - max(0, units - used))
      used = max(0, used - units)
    end
    keep(KEYS[i], used, at, before, us(ends(spec, used, at, before), spec))
  end
end
return 1`,
  },
  /** rate-limit/lua/reset.lua */
  rateLimitReset: {
    name: 'rateLimitReset',
    sha: 'b970a677cc127021b85431d9a50e152ab8a211c0',
    lua: `for i = 1, #KEYS do
  redis.call('PUBLISH', ARGV[1], 'c' .. string.sub(KEYS[i], ARGV[2] + 1))
end
redis.call('DEL', unpack(KEYS))
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
    sha: '0126c36e08f75dd1d83ebe8cdd2d7ce748d23bc8',
    lua: `local max, min = math.max, math.min
local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local function quotient(a, b)
  return (a - a % b) / b
end
local function quotient_up(a, b)
  return -quotient(-a, b)
end
local function left(window, at, now)
  return min(window, (at + 1) * window - now)
end
local function spec_after(place)
  local kind, limit, burst, window, tick = unpack(ARGV, place + 1, place + 5)
  limit, burst, window, tick = tonumber(limit), tonumber(burst), tonumber(window), tonumber(tick)
  local now = quotient(micros, tick)
  return { kind = kind, limit = limit, burst = burst, window = window, tick = tick, now = now, past = micros - now * tick }
end
local function state_in(kept)
  if kept and #kept == 24 then
    local used, at, before = struct.unpack('<ddd', kept)
    if used >= 0 and at >= 0 and before >= 0 and used + at + before < 2 ^ 60 then
      return used, at, before
    end
  end
  return 0, 0, 0
end
local function settle(spec, used, at, before)
  local now, window = spec.now, spec.window
  if spec.kind == 'b' then
    if at > now + window then
      return 0, now, 0
    end
    return at < now and max(0, used - (now - at) * spec.limit) or used, now, 0
  end
  if spec.kind == 'f' then
    if now >= at or at > now + 2 * window or used == 0 then
      return 0, now + window, 0
    end
    return used, at, 0
  end
  local current = quotient(now, window)
  if at == current or at == current + 1 then
    return used, at, before
  end
  return 0, current, at == current - 1 and used or 0
end
local function free(spec, used, at, before)
  local window = spec.window
  if spec.kind == 'b' then
    return quotient(spec.burst * window - used, window)
  end
  if spec.kind == 'f' then
    return spec.limit - used
  end
  return quotient((spec.limit - used) * window - before * left(window, at, spec.now), window)
end
local function wait(spec, used, at, before, cost)
  local limit, window = spec.limit, spec.window
  if cost > spec.burst then
    return window
  end
  if spec.kind == 'b' then
    return quotient_up(used - (spec.burst - cost) * window, limit)
  end
  if spec.kind == 'f' then
    return at - spec.now
  end
  if used + cost <= limit then
    return left(window, at, spec.now) - quotient((limit - used - cost) * window, before)
  end
  return left(window, at, spec.now) + max(0, window - quotient((limit - cost) * window, used))
end
local function ends(spec, used, at, before)
  if spec.kind == 'b' then
    return used == 0 and 0 or spec.limit == 0 and spec.window or quotient_up(used, spec.limit)
  end
  if spec.kind == 'f' then
    return used > 0 and at - spec.now or 0
  end
  local rest = left(spec.window, at, spec.now)
  return used > 0 and rest + spec.window or before > 0 and rest or 0
end
local function us(ticks, spec)
  return ticks == 0 and 0 or min(ticks * spec.tick, 9000000000000000) - spec.past
end
local function keep(key, used, at, before, reset)
  redis.call('SET', key, struct.pack('<ddd', used, at, before), 'PX', math.ceil(reset / 1000) + 1000)
end
local spending = ARGV[1] == '1'
local kept = redis.call('MGET', unpack(KEYS))
local spent = {}
local replies, key = {}, 0
local function judge(asks, i, passes)
  local ask = asks[i]
  if not ask then
    return passes
  end
  local spec, name, used, at, before = ask.spec, KEYS[key + i], 0, 0, 0
  local state = spent[name]
  if state then
    used, at, before = state[1], state[2], state[3]
  elseif kept[key + i] then
    used, at, before = state_in(kept[key + i])
  end
  used, at, before = settle(spec, used, at, before)
  local room = free(spec, used, at, before)
  local granted = ask.cost <= room and min(ask.most, room) or 0
  passes = judge(asks, i + 1, passes and granted > 0)
  local retry, takes = 0, passes and spending
  if granted == 0 then
    retry = us(wait(spec, used, at, before, ask.cost), spec)
  elseif takes then
    used = used + granted * (spec.kind == 'b' and spec.window or 1)
    room = room - granted
  end
  local reset = us(ends(spec, used, at, before), spec)
  if takes then
    spent[name] = { used, at, before, reset }
  end
  local out = 4 * (key + i)
  replies[out - 3], replies[out - 2], replies[out - 1], replies[out] = granted, max(0, room), retry, reset
  return passes
end
local specs, place = {}, 2
for i = 1, ARGV[2] do
  specs[i] = spec_after(place)
  place = place + 5
end
while ARGV[place + 1] do
  local times, count, asks = ARGV[place + 1], ARGV[place + 2], {}
  place = place + 2
  for i = 1, count do
    local spec, cost, most = unpack(ARGV, place + 1, place + 3)
    asks[i] = { spec = specs[tonumber(spec)], cost = tonumber(cost), most = tonumber(most) }
    place = place + 3
  end
  for _ = 1, times do
    judge(asks, 1, true)
    key = key + #asks
  end
end
for name, state in pairs(spent) do
  keep(name, unpack(state))
end
return replies`,
  },
  /** session/lua/create.lua */
  sessionCreate: {
    name: 'sessionCreate',
    sha: 'a2289d6dfc6ad8066faffa8917247004125c9992',
    lua: `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function text(number)
  return string.format('%.0f', number)
end
local function facts(key)
  return string.match(redis.call('HGET', key, 'f') or '', '^(%d+)%c(%d+)%c(%d+)%c([^%c]*)%c([^%c]*)')
end
local function find(prefix, hash)
  local passed, until_ = {}, nil
  for _ = 1, 10000 do
    local key = prefix .. 's:' .. hash
    local next, grace, version = unpack(redis.call('HMGET', key, 'n', 'g', 'v'))
    if not next then
      if not version then
        return nil
      end
      for i = #passed - 1, 1, -1 do
        until_ = math.min(passed[i][2], until_ or passed[i + 1][2])
        redis.call('HSET', passed[i][1], 'n', hash, 'g', text(until_))
      end
      return key, hash
    end
    if tonumber(grace) <= now then
      return nil
    end
    passed[#passed + 1] = { key, tonumber(grace) }
    hash = next
  end
  return nil
end
local function reply(key, hash)
  local fields = redis.call('HMGET', key, 'v', 'd', 's', 'f')
  fields[5] = text(now + math.max(0, redis.call('PTTL', key)))
  fields[6] = hash
  return fields
end
local function touch(key)
  local _, ends, idle = facts(key)
  local life = math.min(tonumber(idle), tonumber(ends) - now)
  if life <= 0 then
    redis.call('DEL', key)
    return false
  end
  if redis.call('PTTL', key) < life - idle / 20 or now - redis.call('HGET', key, 's') > idle / 20 then
    redis.call('PEXPIRE', key, text(life))
    redis.call('HSET', key, 's', text(now))
  end
  return true
end
local function bury(prefix, hash, ms)
  local key = prefix .. 's:' .. hash
  local _, ends, _, user = facts(key)
  local rest = ends and tonumber(ends) - now or math.max(redis.call('PTTL', key), ms)
  redis.call('DEL', key)
  redis.call('HSET', key, 'x', '1')
  redis.call('PEXPIRE', key, text(math.max(1, rest)))
  if user then
    redis.call('ZREM', prefix .. 'u:' .. user, hash)
  end
end
local function index(prefix, user, hash, born, ends)
  local key = prefix .. 'u:' .. user
  redis.call('ZADD', key, text(born), hash)
  if redis.call('PTTL', key) < ends - now then
    redis.call('PEXPIRE', key, text(ends - now))
  end
end
local prefix, user = ARGV[1], ARGV[3]
local key, hash = find(prefix, ARGV[2])
if key then
  if ARGV[11] ~= '1' then
    return false
  end
elseif redis.call('EXISTS', KEYS[1]) == 1 then
  return false
else
  key, hash = KEYS[1], ARGV[2]
end
local version = redis.call('HGET', key, 'v') or 0
local born, ends, _, owner = facts(key)
born, ends = tonumber(born or now), tonumber(ends or now + ARGV[9])
if owner and owner ~= user then
  redis.call('ZREM', prefix .. 'u:' .. owner, hash)
end
redis.call('HSET', key, 'v', text(version + 1), 'd', ARGV[6] .. ARGV[7], 's', text(now),
  'f', table.concat({ text(born), text(ends), text(ARGV[8]), user, ARGV[4], ARGV[5] }, string.char(10)))
redis.call('PEXPIRE', key, text(math.max(1, math.min(ARGV[8], ends - now))))
if user ~= '' then
  index(prefix, user, hash, born, ends)
  local most = tonumber(ARGV[10])
  if most > 0 and redis.call('ZCARD', prefix .. 'u:' .. user) > most then
    local living = {}
    for _, other in ipairs(redis.call('ZRANGE', prefix .. 'u:' .. user, 0, -1)) do
      if redis.call('HEXISTS', prefix .. 's:' .. other, 'v') == 0 then
        redis.call('ZREM', prefix .. 'u:' .. user, other)
      elseif other ~= hash then
        living[#living + 1] = other
      end
    end
    for i = 1, #living + 1 - most do
      bury(prefix, living[i], 1)
    end
  end
end
return reply(key, hash)`,
  },
  /** session/lua/destroy-all.lua */
  sessionDestroyAll: {
    name: 'sessionDestroyAll',
    sha: '0e70c478446bc6997875833e6f29d3dc5b46624c',
    lua: `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function text(number)
  return string.format('%.0f', number)
end
local function facts(key)
  return string.match(redis.call('HGET', key, 'f') or '', '^(%d+)%c(%d+)%c(%d+)%c([^%c]*)%c([^%c]*)')
end
local function find(prefix, hash)
  local passed, until_ = {}, nil
  for _ = 1, 10000 do
    local key = prefix .. 's:' .. hash
    local next, grace, version = unpack(redis.call('HMGET', key, 'n', 'g', 'v'))
    if not next then
      if not version then
        return nil
      end
      for i = #passed - 1, 1, -1 do
        until_ = math.min(passed[i][2], until_ or passed[i + 1][2])
        redis.call('HSET', passed[i][1], 'n', hash, 'g', text(until_))
      end
      return key, hash
    end
    if tonumber(grace) <= now then
      return nil
    end
    passed[#passed + 1] = { key, tonumber(grace) }
    hash = next
  end
  return nil
end
local function reply(key, hash)
  local fields = redis.call('HMGET', key, 'v', 'd', 's', 'f')
  fields[5] = text(now + math.max(0, redis.call('PTTL', key)))
  fields[6] = hash
  return fields
end
local function touch(key)
  local _, ends, idle = facts(key)
  local life = math.min(tonumber(idle), tonumber(ends) - now)
  if life <= 0 then
    redis.call('DEL', key)
    return false
  end
  if redis.call('PTTL', key) < life - idle / 20 or now - redis.call('HGET', key, 's') > idle / 20 then
    redis.call('PEXPIRE', key, text(life))
    redis.call('HSET', key, 's', text(now))
  end
  return true
end
local function bury(prefix, hash, ms)
  local key = prefix .. 's:' .. hash
  local _, ends, _, user = facts(key)
  local rest = ends and tonumber(ends) - now or math.max(redis.call('PTTL', key), ms)
  redis.call('DEL', key)
  redis.call('HSET', key, 'x', '1')
  redis.call('PEXPIRE', key, text(math.max(1, rest)))
  if user then
    redis.call('ZREM', prefix .. 'u:' .. user, hash)
  end
end
local function index(prefix, user, hash, born, ends)
  local key = prefix .. 'u:' .. user
  redis.call('ZADD', key, text(born), hash)
  if redis.call('PTTL', key) < ends - now then
    redis.call('PEXPIRE', key, text(ends - now))
  end
end
local ended = 0
local spared = ARGV[4]
if spared ~= '' then
  local _, hash = find(ARGV[1], spared)
  spared = hash or spared
end
for _, hash in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local born, _, _, _, tenant = facts(ARGV[1] .. 's:' .. hash)
  if not born then
    redis.call('ZREM', KEYS[1], hash)
  elseif hash ~= spared and (ARGV[2] ~= '1' or tenant == ARGV[3]) then
    bury(ARGV[1], hash, 1)
    ended = ended + 1
  end
end
return ended`,
  },
  /** session/lua/destroy.lua */
  sessionDestroy: {
    name: 'sessionDestroy',
    sha: 'c87450db202ffef07856a2b50e31fb2aa3ffaec1',
    lua: `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function text(number)
  return string.format('%.0f', number)
end
local function facts(key)
  return string.match(redis.call('HGET', key, 'f') or '', '^(%d+)%c(%d+)%c(%d+)%c([^%c]*)%c([^%c]*)')
end
local function find(prefix, hash)
  local passed, until_ = {}, nil
  for _ = 1, 10000 do
    local key = prefix .. 's:' .. hash
    local next, grace, version = unpack(redis.call('HMGET', key, 'n', 'g', 'v'))
    if not next then
      if not version then
        return nil
      end
      for i = #passed - 1, 1, -1 do
        until_ = math.min(passed[i][2], until_ or passed[i + 1][2])
        redis.call('HSET', passed[i][1], 'n', hash, 'g', text(until_))
      end
      return key, hash
    end
    if tonumber(grace) <= now then
      return nil
    end
    passed[#passed + 1] = { key, tonumber(grace) }
    hash = next
  end
  return nil
end
local function reply(key, hash)
  local fields = redis.call('HMGET', key, 'v', 'd', 's', 'f')
  fields[5] = text(now + math.max(0, redis.call('PTTL', key)))
  fields[6] = hash
  return fields
end
local function touch(key)
  local _, ends, idle = facts(key)
  local life = math.min(tonumber(idle), tonumber(ends) - now)
  if life <= 0 then
    redis.call('DEL', key)
    return false
  end
  if redis.call('PTTL', key) < life - idle / 20 or now - redis.call('HGET', key, 's') > idle / 20 then
    redis.call('PEXPIRE', key, text(life))
    redis.call('HSET', key, 's', text(now))
  end
  return true
end
local function bury(prefix, hash, ms)
  local key = prefix .. 's:' .. hash
  local _, ends, _, user = facts(key)
  local rest = ends and tonumber(ends) - now or math.max(redis.call('PTTL', key), ms)
  redis.call('DEL', key)
  redis.call('HSET', key, 'x', '1')
  redis.call('PEXPIRE', key, text(math.max(1, rest)))
  if user then
    redis.call('ZREM', prefix .. 'u:' .. user, hash)
  end
end
local function index(prefix, user, hash, born, ends)
  local key = prefix .. 'u:' .. user
  redis.call('ZADD', key, text(born), hash)
  if redis.call('PTTL', key) < ends - now then
    redis.call('PEXPIRE', key, text(ends - now))
  end
end
local key, hash = find(ARGV[1], ARGV[2])
if key then
  bury(ARGV[1], hash, tonumber(ARGV[3]))
end
if hash ~= ARGV[2] and (redis.call('EXISTS', KEYS[1]) == 1 or tonumber(ARGV[3]) > 0) then
  bury(ARGV[1], ARGV[2], tonumber(ARGV[3]))
end
return key and 1 or 0`,
  },
  /** session/lua/list.lua */
  sessionList: {
    name: 'sessionList',
    sha: 'db388b5f7931ec4e73bceafe15f0faacab9134dd',
    lua: `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function text(number)
  return string.format('%.0f', number)
end
local function facts(key)
  return string.match(redis.call('HGET', key, 'f') or '', '^(%d+)%c(%d+)%c(%d+)%c([^%c]*)%c([^%c]*)')
end
local function find(prefix, hash)
  local passed, until_ = {}, nil
  for _ = 1, 10000 do
    local key = prefix .. 's:' .. hash
    local next, grace, version = unpack(redis.call('HMGET', key, 'n', 'g', 'v'))
    if not next then
      if not version then
        return nil
      end
      for i = #passed - 1, 1, -1 do
        until_ = math.min(passed[i][2], until_ or passed[i + 1][2])
        redis.call('HSET', passed[i][1], 'n', hash, 'g', text(until_))
      end
      return key, hash
    end
    if tonumber(grace) <= now then
      return nil
    end
    passed[#passed + 1] = { key, tonumber(grace) }
    hash = next
  end
  return nil
end
local function reply(key, hash)
  local fields = redis.call('HMGET', key, 'v', 'd', 's', 'f')
  fields[5] = text(now + math.max(0, redis.call('PTTL', key)))
  fields[6] = hash
  return fields
end
local function touch(key)
  local _, ends, idle = facts(key)
  local life = math.min(tonumber(idle), tonumber(ends) - now)
  if life <= 0 then
    redis.call('DEL', key)
    return false
  end
  if redis.call('PTTL', key) < life - idle / 20 or now - redis.call('HGET', key, 's') > idle / 20 then
    redis.call('PEXPIRE', key, text(life))
    redis.call('HSET', key, 's', text(now))
  end
  return true
end
local function bury(prefix, hash, ms)
  local key = prefix .. 's:' .. hash
  local _, ends, _, user = facts(key)
  local rest = ends and tonumber(ends) - now or math.max(redis.call('PTTL', key), ms)
  redis.call('DEL', key)
  redis.call('HSET', key, 'x', '1')
  redis.call('PEXPIRE', key, text(math.max(1, rest)))
  if user then
    redis.call('ZREM', prefix .. 'u:' .. user, hash)
  end
end
local function index(prefix, user, hash, born, ends)
  local key = prefix .. 'u:' .. user
  redis.call('ZADD', key, text(born), hash)
  if redis.call('PTTL', key) < ends - now then
    redis.call('PEXPIRE', key, text(ends - now))
  end
end
local out = {}
for _, hash in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local key = ARGV[1] .. 's:' .. hash
  if redis.call('HEXISTS', key, 'v') == 1 then
    out[#out + 1] = reply(key, hash)
  else
    redis.call('ZREM', KEYS[1], hash)
  end
end
return out`,
  },
  /** session/lua/read.lua */
  sessionRead: {
    name: 'sessionRead',
    sha: '758ca34fc1b7e5f94e0a3f196ee92338760b8828',
    lua: `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function text(number)
  return string.format('%.0f', number)
end
local function facts(key)
  return string.match(redis.call('HGET', key, 'f') or '', '^(%d+)%c(%d+)%c(%d+)%c([^%c]*)%c([^%c]*)')
end
local function find(prefix, hash)
  local passed, until_ = {}, nil
  for _ = 1, 10000 do
    local key = prefix .. 's:' .. hash
    local next, grace, version = unpack(redis.call('HMGET', key, 'n', 'g', 'v'))
    if not next then
      if not version then
        return nil
      end
      for i = #passed - 1, 1, -1 do
        until_ = math.min(passed[i][2], until_ or passed[i + 1][2])
        redis.call('HSET', passed[i][1], 'n', hash, 'g', text(until_))
      end
      return key, hash
    end
    if tonumber(grace) <= now then
      return nil
    end
    passed[#passed + 1] = { key, tonumber(grace) }
    hash = next
  end
  return nil
end
local function reply(key, hash)
  local fields = redis.call('HMGET', key, 'v', 'd', 's', 'f')
  fields[5] = text(now + math.max(0, redis.call('PTTL', key)))
  fields[6] = hash
  return fields
end
local function touch(key)
  local _, ends, idle = facts(key)
  local life = math.min(tonumber(idle), tonumber(ends) - now)
  if life <= 0 then
    redis.call('DEL', key)
    return false
  end
  if redis.call('PTTL', key) < life - idle / 20 or now - redis.call('HGET', key, 's') > idle / 20 then
    redis.call('PEXPIRE', key, text(life))
    redis.call('HSET', key, 's', text(now))
  end
  return true
end
local function bury(prefix, hash, ms)
  local key = prefix .. 's:' .. hash
  local _, ends, _, user = facts(key)
  local rest = ends and tonumber(ends) - now or math.max(redis.call('PTTL', key), ms)
  redis.call('DEL', key)
  redis.call('HSET', key, 'x', '1')
  redis.call('PEXPIRE', key, text(math.max(1, rest)))
  if user then
    redis.call('ZREM', prefix .. 'u:' .. user, hash)
  end
end
local function index(prefix, user, hash, born, ends)
  local key = prefix .. 'u:' .. user
  redis.call('ZADD', key, text(born), hash)
  if redis.call('PTTL', key) < ends - now then
    redis.call('PEXPIRE', key, text(ends - now))
  end
end
local key, hash = find(ARGV[1], ARGV[2])
if not key or not touch(key) then
  return false
end
return reply(key, hash)`,
  },
  /** session/lua/rotate.lua */
  sessionRotate: {
    name: 'sessionRotate',
    sha: '89aa640e129628432531fb7f1f8935e49a5b6158',
    lua: `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function text(number)
  return string.format('%.0f', number)
end
local function facts(key)
  return string.match(redis.call('HGET', key, 'f') or '', '^(%d+)%c(%d+)%c(%d+)%c([^%c]*)%c([^%c]*)')
end
local function find(prefix, hash)
  local passed, until_ = {}, nil
  for _ = 1, 10000 do
    local key = prefix .. 's:' .. hash
    local next, grace, version = unpack(redis.call('HMGET', key, 'n', 'g', 'v'))
    if not next then
      if not version then
        return nil
      end
      for i = #passed - 1, 1, -1 do
        until_ = math.min(passed[i][2], until_ or passed[i + 1][2])
        redis.call('HSET', passed[i][1], 'n', hash, 'g', text(until_))
      end
      return key, hash
    end
    if tonumber(grace) <= now then
      return nil
    end
    passed[#passed + 1] = { key, tonumber(grace) }
    hash = next
  end
  return nil
end
local function reply(key, hash)
  local fields = redis.call('HMGET', key, 'v', 'd', 's', 'f')
  fields[5] = text(now + math.max(0, redis.call('PTTL', key)))
  fields[6] = hash
  return fields
end
local function touch(key)
  local _, ends, idle = facts(key)
  local life = math.min(tonumber(idle), tonumber(ends) - now)
  if life <= 0 then
    redis.call('DEL', key)
    return false
  end
  if redis.call('PTTL', key) < life - idle / 20 or now - redis.call('HGET', key, 's') > idle / 20 then
    redis.call('PEXPIRE', key, text(life))
    redis.call('HSET', key, 's', text(now))
  end
  return true
end
local function bury(prefix, hash, ms)
  local key = prefix .. 's:' .. hash
  local _, ends, _, user = facts(key)
  local rest = ends and tonumber(ends) - now or math.max(redis.call('PTTL', key), ms)
  redis.call('DEL', key)
  redis.call('HSET', key, 'x', '1')
  redis.call('PEXPIRE', key, text(math.max(1, rest)))
  if user then
    redis.call('ZREM', prefix .. 'u:' .. user, hash)
  end
end
local function index(prefix, user, hash, born, ends)
  local key = prefix .. 'u:' .. user
  redis.call('ZADD', key, text(born), hash)
  if redis.call('PTTL', key) < ends - now then
    redis.call('PEXPIRE', key, text(ends - now))
  end
end
local key, hash = find(ARGV[1], ARGV[2])
if not key or not touch(key) then
  return false
end
redis.call('RENAME', key, KEYS[2])
local born, ends, _, user = facts(KEYS[2])
if user ~= '' then
  redis.call('ZREM', ARGV[1] .. 'u:' .. user, hash)
  index(ARGV[1], user, ARGV[3], tonumber(born), tonumber(ends))
end
redis.call('HSET', key, 'n', ARGV[3], 'g', text(now + ARGV[4]))
redis.call('PEXPIRE', key, text(ends - now))
return reply(KEYS[2], ARGV[3])`,
  },
  /** session/lua/write.lua */
  sessionWrite: {
    name: 'sessionWrite',
    sha: '08f10dd8a8e1189e66d2bc24bb2d6172d85b7b42',
    lua: `local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function text(number)
  return string.format('%.0f', number)
end
local function facts(key)
  return string.match(redis.call('HGET', key, 'f') or '', '^(%d+)%c(%d+)%c(%d+)%c([^%c]*)%c([^%c]*)')
end
local function find(prefix, hash)
  local passed, until_ = {}, nil
  for _ = 1, 10000 do
    local key = prefix .. 's:' .. hash
    local next, grace, version = unpack(redis.call('HMGET', key, 'n', 'g', 'v'))
    if not next then
      if not version then
        return nil
      end
      for i = #passed - 1, 1, -1 do
        until_ = math.min(passed[i][2], until_ or passed[i + 1][2])
        redis.call('HSET', passed[i][1], 'n', hash, 'g', text(until_))
      end
      return key, hash
    end
    if tonumber(grace) <= now then
      return nil
    end
    passed[#passed + 1] = { key, tonumber(grace) }
    hash = next
  end
  return nil
end
local function reply(key, hash)
  local fields = redis.call('HMGET', key, 'v', 'd', 's', 'f')
  fields[5] = text(now + math.max(0, redis.call('PTTL', key)))
  fields[6] = hash
  return fields
end
local function touch(key)
  local _, ends, idle = facts(key)
  local life = math.min(tonumber(idle), tonumber(ends) - now)
  if life <= 0 then
    redis.call('DEL', key)
    return false
  end
  if redis.call('PTTL', key) < life - idle / 20 or now - redis.call('HGET', key, 's') > idle / 20 then
    redis.call('PEXPIRE', key, text(life))
    redis.call('HSET', key, 's', text(now))
  end
  return true
end
local function bury(prefix, hash, ms)
  local key = prefix .. 's:' .. hash
  local _, ends, _, user = facts(key)
  local rest = ends and tonumber(ends) - now or math.max(redis.call('PTTL', key), ms)
  redis.call('DEL', key)
  redis.call('HSET', key, 'x', '1')
  redis.call('PEXPIRE', key, text(math.max(1, rest)))
  if user then
    redis.call('ZREM', prefix .. 'u:' .. user, hash)
  end
end
local function index(prefix, user, hash, born, ends)
  local key = prefix .. 'u:' .. user
  redis.call('ZADD', key, text(born), hash)
  if redis.call('PTTL', key) < ends - now then
    redis.call('PEXPIRE', key, text(ends - now))
  end
end
local key, hash = find(ARGV[1], ARGV[2])
if not key or not touch(key) then
  return false
end
if redis.call('HGET', key, 'v') ~= ARGV[3] then
  return 0
end
redis.call('HSET', key, 'v', text(ARGV[3] + 1), 'd', ARGV[4] .. ARGV[5])
return reply(key, hash)`,
  },
} satisfies Record<string, Script>
