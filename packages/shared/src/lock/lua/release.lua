-- Gives a lock back, or leaves its line, and tells the process whose turn it is then.
-- KEYS 1 holders  2 line  3 waiters  4 tokens that were given up
-- ARGV 1 holder, or empty  2 waiter that leaves, or empty  3 for how long a late copy of an `acquire` of the holder is refused, ms; 0 not at all
--      4 channels  5 lock
-- Returns 1 it was held, 0 not
-- include line.lua
local given = 0
if ARGV[1] ~= '' then
  given = redis.call('ZREM', KEYS[1], ARGV[1])
end
if ARGV[2] ~= '' then
  forget(ARGV[2])
end
if tonumber(ARGV[3]) > 0 then
  redis.call('SADD', KEYS[4], ARGV[1])
  redis.call('PEXPIRE', KEYS[4], ARGV[3])
end
wake(ARGV[4], ARGV[5])
return given
