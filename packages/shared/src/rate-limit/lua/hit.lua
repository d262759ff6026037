-- Counts in a fixed window, also beyond its limit; beyond it the counter may be closed for a time, and is open and new after that.
-- KEYS 1 the counter
-- ARGV 1 added: at least 1; -1 takes one back; 0 only looks  2 window, ms  3 limit, or -1: none  4 closed for so many ms beyond it; 0: never
-- Returns hits, ms until the window ends, ms for which it is closed
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local by, window, limit, block = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local hits, ends, opens = 0, 0, 0
local text = redis.call('MGET', KEYS[1])[1]
local first, second, third = string.match(text or '', '^(%d+) (%d+) (%d+)$')
-- What somebody else wrote there is no count, and is written over.
if first then
  hits, ends, opens = tonumber(first), tonumber(second), tonumber(third)
end
if opens > now then
  return { hits, math.max(0, ends - now), opens - now }
end
-- What was counted up to a closing was paid for by it; else the same requests would close it again and again.
if ends <= now or opens > 0 then
  hits, ends, opens = 0, now + window, 0
end
if by == 0 or by < 0 and hits == 0 then
  return { hits, hits > 0 and ends - now or 0, 0 }
end
hits = hits + by
if by > 0 and block > 0 and limit >= 0 and hits > limit then
  opens = now + block
end
local stays = math.max(ends, opens) - now
redis.call('SET', KEYS[1], string.format('%.0f %.0f %.0f', hits, ends, opens), 'PX', stays + 1000)
return { hits, ends - now, math.max(0, opens - now) }
