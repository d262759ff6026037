-- Sets a mark to a second, never to an earlier one than it has, and tells those who hear of writes by messages alone.
-- KEYS 1 the mark
-- ARGV 1 channel  2 the second, or empty: now  3 for how long it is kept, ms
-- Returns the second that stands there now
local second = ARGV[2] == '' and tonumber(redis.call('TIME')[1]) or tonumber(ARGV[2])
local known = redis.call('GET', KEYS[1])
if known and tonumber(known) > second then
  second = tonumber(known)
end
redis.call('SET', KEYS[1], string.format('%.0f', second), 'PX', ARGV[3])
redis.pcall('PUBLISH', ARGV[1], KEYS[1])
return second
