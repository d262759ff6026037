-- Gives a holder at least so much time, counted from now. A lock that is lost stays lost; and a call that comes late, after another that gave
-- more, takes nothing away.
-- KEYS 1 holders   ARGV 1 holder  2 time to live, ms
-- Returns 1 extended, 0 no longer held
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- A first write that takes no memory: where none is left, a script that begins with another is refused, and holders would lose what they hold.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', now + ARGV[2]), ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
