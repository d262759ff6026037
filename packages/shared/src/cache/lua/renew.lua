-- Extends a lease that still holds this value; gone is gone (R7).
-- KEYS 1 lease   ARGV 1 lease value  2 time to live, ms
-- Returns 1 extended, 0 not held
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
