-- Gives a lock back, or leaves its line, and tells the process whose turn it is then.
-- KEYS 1 holders  2 line  3 waiters  4 tokens that were given up
-- ARGV 1 holder, or empty
--      where one is needed: 2 waiter that leaves, or empty  3 for how long a late copy of an `acquire` of the holder is refused, ms; 0 not at all
-- Returns 1 it was held, 0 not

-- The usual case: nobody waits.
if not ARGV[2] and redis.call('EXISTS', KEYS[2]) == 0 then
  return redis.call('ZREM', KEYS[1], ARGV[1])
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- include line.lua
local given = 0
if ARGV[1] ~= '' then
  given = redis.call('ZREM', KEYS[1], ARGV[1])
end
local leaves, refused = ARGV[2] or '', tonumber(ARGV[3] or 0)
if leaves ~= '' then
  forget(leaves)
end
if refused > 0 then
  redis.call('SADD', KEYS[4], ARGV[1])
  redis.call('PEXPIRE', KEYS[4], refused)
end
wake()
return given
