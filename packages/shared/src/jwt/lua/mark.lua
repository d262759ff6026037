-- Sets a mark, never to an earlier end than it has, and tells those who hear of writes by messages alone.
-- KEYS 1 the mark
-- ARGV 1 channel  2 'PXAT' or 'PX'  3 when it ends, ms
-- Returns 1: it was set; 0: its end is over, or the mark has a later one
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ends = tonumber(ARGV[3])
if ARGV[2] == 'PX' then
  ends = now + ends
end
if ends <= now or ends <= redis.call('PEXPIRETIME', KEYS[1]) then
  return 0
end
redis.call('SET', KEYS[1], '1', 'PXAT', string.format('%.0f', ends))
redis.pcall('PUBLISH', ARGV[1], KEYS[1])
return 1
