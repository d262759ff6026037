-- Says that a process is there.
-- KEYS 1 the processes by when they were there last
-- ARGV 1 process  2 for how long one counts, ms
-- Returns how many were there in that time
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - ARGV[2]))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[2] + 1000))
return redis.call('ZCARD', KEYS[1])
