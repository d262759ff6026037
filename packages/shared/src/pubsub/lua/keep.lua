-- A consumer is still at work on messages: they are not left behind for another while.
-- KEYS 1 the log
-- ARGV 1 group  2 consumer  3 … ids
-- Returns the ids of those that it still has
local mine = {}
for i = 3, #ARGV do
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
  if not pending.err and #pending > 0 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    mine[#mine + 1] = ARGV[i]
  end
end
return mine
