-- Gives back what was taken, never more than is used, and tells all processes.
-- KEYS the counters, all of one slot
-- ARGV 1 channel of the news  2 how many characters of a key come before the counter's id
--      for each counter: algorithm, limit, burst, window in ticks, tick in microseconds, units
-- include counting.lua
for i = 1, #KEYS do
  local place = 6 * i - 4
  local spec, units = spec_after(place), tonumber(ARGV[place + 6])
  local kept = redis.call('GET', KEYS[i])
  if kept then
    local used, at, before = settle(spec, state_in(kept))
    if spec.kind == 'b' then
      used = max(0, used - units * spec.window)
    else
      before = max(0, before - max(0, units - used))
      used = max(0, used - units)
    end
    keep(KEYS[i], used, at, before, us(ends(spec, used, at, before), spec))
  end
  redis.call('PUBLISH', ARGV[1], 'c' .. string.sub(KEYS[i], ARGV[2] + 1))
end
return 1
