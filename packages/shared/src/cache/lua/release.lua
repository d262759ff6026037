-- Drops a lease that still holds this value (R8).
-- KEYS 1 lease   ARGV 1 lease value
-- Returns 1 dropped, 0 not held
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
