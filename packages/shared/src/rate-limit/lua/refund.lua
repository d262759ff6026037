-- Gives back what was taken, never more than is used, and tells all processes.
-- KEYS the counters, all of one slot
-- ARGV 1 channel of the news  2 how many characters of a key come before the counter's id
--      for each counter: algorithm, limit, burst, window in ticks, tick in microseconds, units
-- include counting.lua
-- First, for a user who may not publish fails here: who is told of a failure may ask again, and nothing must have been given back by then.
for i = 1, #KEYS do
  redis.call('PUBLISH', ARGV[1], 'c' .. string.sub(KEYS[i], ARGV[2] + 1))
end
local kept = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
  local place = 6 * i - 4
  local spec, units = spec_after(place), tonumber(ARGV[place + 6])
  if kept[i] then
    local used, at, before = settle(spec, state_in(kept[i]))
    if spec.kind == 'b' then
      used = max(0, used - units * spec.window)
    else
      before = max(0, before - max(0, units - used))
      used = max(0, used - units)
    end
    keep(KEYS[i], used, at, before, us(ends(spec, used, at, before), spec))
  end
end
return 1
