-- Keeps a message in a log and tells those who listen now, in one step, so that they hear in the order of the log.
-- KEYS 1 the log  2 what a messageId was kept as, where it has one
-- ARGV 1 channel of those who listen  2 message  3 how many are kept  4 for how long, ms  5 1: the channel is sharded
-- Returns { id, 1 fresh | 0 it was there already }
if KEYS[2] then
  local known = redis.call('GET', KEYS[2])
  if known then
    return { known, 0 }
  end
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'm', ARGV[2])
redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', math.max(0, now - ARGV[4])))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if KEYS[2] then
  redis.call('SET', KEYS[2], id, 'PX', ARGV[4])
end
redis.call(ARGV[5] == '1' and 'SPUBLISH' or 'PUBLISH', ARGV[1], id .. ' ' .. (last and last[1] or '0-0') .. ' ' .. ARGV[2])
return { id, 1 }
