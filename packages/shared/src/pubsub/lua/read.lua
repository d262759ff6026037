-- Messages of a log after an id.
-- KEYS 1 the log
-- ARGV 1 id  2 how many at most
-- Returns { 1 some after the id may be gone | 0, messages as of XRANGE }
local gap = 0
if ARGV[1] ~= '0-0' and #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then
  local first = redis.call('XRANGE', KEYS[1], '-', ARGV[1], 'COUNT', 1)
  if #first == 0 then
    gap = 1
  end
end
return { gap, redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2]) }
