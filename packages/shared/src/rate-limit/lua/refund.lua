-- Gives back what was taken, never more than is used, and tells all processes.
-- KEYS the counters, all of one slot
-- ARGV 1 channel of the news  2 how many characters of a key come before the counter's id
--      for each counter: algorithm, limit, window in ticks, tick in microseconds, units
-- include counting.lua
local place = 2
for i = 1, #KEYS do
  local kind, limit, window, tick, units = unpack(ARGV, place + 1, place + 5)
  limit, window, tick, units = tonumber(limit), tonumber(window), tonumber(tick), tonumber(units)
  place = place + 5
  local text = redis.call('GET', KEYS[i])
  if text then
    local now = quotient(micros, tick)
    local used, at, before = settle(kind, limit, window, text, now)
    if kind == 'b' then
      used = math.max(0, used - units * window)
    else
      before = math.max(0, before - math.max(0, units - used))
      used = math.max(0, used - units)
    end
    keep(KEYS[i], used, at, before, us(ends(kind, limit, window, used, at, before, now), tick))
  end
  redis.call('PUBLISH', ARGV[1], 'c' .. string.sub(KEYS[i], ARGV[2] + 1))
end
return 1
