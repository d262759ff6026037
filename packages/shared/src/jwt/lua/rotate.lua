-- Replaces the token of a family that may be used; a token that was replaced before ends the family.
-- KEYS 1 the family: token, before, at  2 the mark of one that has ended
-- ARGV 1 channel  2 the token that was presented  3 the one that may be used from now on  4 the family's life, ms
--      5 for how long the token before may be presented again, ms
-- Returns { outcome, the token that may be used, or empty }
if redis.call('EXISTS', KEYS[2]) == 1 then
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
-- Also where the clock was set back.
if before == ARGV[2] and math.abs(now - at) <= tonumber(ARGV[5]) then
  return { 'repeated', token }
end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[4])
redis.call('DEL', KEYS[1])
redis.pcall('PUBLISH', ARGV[1], KEYS[2])
return { 'reused', '' }
