-- Messages of a log after an id.
-- KEYS 1 the log
-- ARGV 1 id; 0-0: before all  2 how many at most
-- Returns { 1 some after the id may be gone | 0, id of the last message or 0-0, messages as of XRANGE }
local entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local last = newest and newest[1] or '0-0'

local gap = 0
if ARGV[1] ~= '0-0' then
  -- The oldest go first: while one is there that is not after the id, none after it is gone – unless the log has lost its end.
  if #redis.call('XRANGE', KEYS[1], '-', ARGV[1], 'COUNT', 1) == 0 or (#entries == 0 and last ~= ARGV[1]) then
    gap = 1
  end
elseif newest then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  local at = {}
  for i = 1, #info, 2 do
    at[info[i]] = info[i + 1]
  end
  if at['entries-added'] > at['length'] then
    gap = 1
  end
end
return { gap, last, entries }
