-- A place among those that run at the same time. The same token asks as often as it likes and has one place.
-- KEYS 1 the places: tokens by the time at which they are free again
-- ARGV 1 token  2 how many places there are  3 time to live, ms
-- Returns 1 has a place, 0 all are taken
local clock = redis.call('TIME')
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
-- A copy of an earlier question may come late: it takes no time away.
redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', now + ARGV[3]), ARGV[1])
local last = tonumber(redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', last - now + 1000))
return 1
