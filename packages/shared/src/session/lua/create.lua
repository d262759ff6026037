-- A new session, or in place of what is there.
-- KEYS 1 the session
-- ARGV 1 what stands before keys of its home  2 hash  3 user  4 tenant  5 meta  6 codec  7 data  8 idle, ms  9 absolute, ms
--      10 how many a user has at most, 0: any  11 1: in place of what is there
-- Returns the session; nil: there is one, or a tombstone
-- include session.lua
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
    -- Never this one: of those born in the same millisecond it may be the first by name.
    for i = 1, #living + 1 - most do
      bury(prefix, living[i], 1)
    end
  end
end
return reply(key, hash)
