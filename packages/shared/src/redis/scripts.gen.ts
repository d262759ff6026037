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
    sha: '58be48e7ed38624656f0d87d99d333e0f5ca1978',
    lua: `local s = tonumber(redis.call('ZINCRBY', KEYS[1], 2, '#s'))
local mark = string.format('%.0f', s - 1)
for first = 2, #ARGV, 1000 do
  local members = {}
  for i = first, math.min(first + 999, #ARGV) do
    members[#members + 1] = mark
    members[#members + 1] = 't:' .. ARGV[i]
  end
  redis.call('ZADD', KEYS[1], unpack(members))
end
local excess = redis.call('ZCARD', KEYS[1]) - 3 - tonumber(ARGV[1])
if excess > 0 then
  local left = excess + math.floor(tonumber(ARGV[1]) / 100)
  local floor
  while left > 0 do
    local oldest = redis.call('ZRANGE', KEYS[1], '-inf', '(' .. string.format('%.0f', s), 'BYSCORE', 'LIMIT', 0, math.min(left, 1000) + 1, 'WITHSCORES')
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
  /** cache/lua/clock.lua */
  cacheClock: {
    name: 'cacheClock',
    sha: 'c30ca0ce222689016484358bc35fb394c427a50e',
    lua: `if not redis.call('ZSCORE', KEYS[1], '#g') then
  local time = redis.call('TIME')
  local g = 2 ^ 45 + (tonumber(ARGV[1]) + time[1] * 1000000 + time[2]) % 2 ^ 44
  redis.call('DEL', KEYS[1])
  redis.call('ZADD', KEYS[1], string.format('%.0f', g), '#g', 2, '#s')
end
return redis.call('ZMSCORE', KEYS[1], '#g', '#s', '#f')`,
  },
  /** cache/lua/fill.lua */
  cacheFill: {
    name: 'cacheFill',
    sha: '3376379dde1ff1591e693ccc2b0dc3574f2ea3e1',
    lua: `if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], string.format('%s%013.0f %013.0f ', ARGV[2], now + ARGV[4], now + ARGV[5]) .. ARGV[3], 'PX', ARGV[5])
redis.call('DEL', KEYS[2])
return 1`,
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
  /** cache/lua/renew.lua */
  cacheRenew: {
    name: 'cacheRenew',
    sha: 'a889964467d92d432fa7f0a8955a56eb1bb33f8a',
    lua: `if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`,
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
} satisfies Record<string, Script>
