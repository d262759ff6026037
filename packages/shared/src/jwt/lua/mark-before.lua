-- Sets a mark to a second, never to an earlier one than it has, and tells those who hear of writes by messages alone.
-- KEYS 1 the mark
-- ARGV 1 channel  2 the second, or empty: now  3 for how long it is kept after that second and after now, ms
-- Returns the second that stands there now
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local second = tonumber(ARGV[2]) or tonumber(clock[1])
local known = redis.call('GET', KEYS[1])
if known and tonumber(known) > second then
  second = tonumber(known)
end
local ends = math.max(math.max(now, (second + 1) * 1000) + ARGV[3], redis.call('PEXPIRETIME', KEYS[1]))
redis.call('SET', KEYS[1], string.format('%.0f', second), 'PXAT', string.format('%.0f', ends))
redis.pcall('PUBLISH', ARGV[1], KEYS[1])
return second
