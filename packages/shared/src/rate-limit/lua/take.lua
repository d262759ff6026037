-- Takes from all counters of a demand, or from none; several demands after each other.
-- KEYS the counters of all demands, in order, all of one slot
-- ARGV 1 1: take; 0: only look  2 how many specs there are
--      for each spec: algorithm, limit, burst, window in ticks, tick in microseconds
--      for each demand: how many counters; for each of them: number of its spec (from 1), cost, most
-- Returns for each counter: granted (0 refused), remaining, retry in microseconds, reset in microseconds
-- include counting.lua
local spending = ARGV[1] == '1'
local specs, place = {}, 2
for i = 1, tonumber(ARGV[2]) do
  local kind, limit, burst, window, tick = unpack(ARGV, place + 1, place + 5)
  tick = tonumber(tick)
  specs[i] = { kind, tonumber(limit), tonumber(burst), tonumber(window), tick, quotient(micros, tick) }
  place = place + 5
end

local replies, key, out = {}, 0, 0
local asks, states = {}, {}
while ARGV[place + 1] do
  local count = tonumber(ARGV[place + 1])
  place = place + 1
  local passes = true
  for i = 1, count do
    local spec = specs[tonumber(ARGV[place + 1])]
    local cost, most = tonumber(ARGV[place + 2]), tonumber(ARGV[place + 3])
    place = place + 3
    local used, at, before = settle(spec[1], spec[2], spec[4], redis.call('GET', KEYS[key + i]), spec[6])
    local room = free(spec[1], spec[2], spec[3], spec[4], used, at, before, spec[6])
    local granted = cost <= room and math.min(most, room) or 0
    passes = passes and granted > 0
    asks[i] = { spec, cost, granted, used, at, before, room }
  end
  for i = 1, count do
    local spec, cost, granted, used, at, before, room = unpack(asks[i])
    local retry = 0
    if granted == 0 then
      retry = us(wait(spec[1], spec[2], spec[3], spec[4], used, at, before, spec[6], cost), spec[5])
    elseif passes and spending then
      used = used + granted * (spec[1] == 'b' and spec[4] or 1)
      room = room - granted
    end
    local reset = us(ends(spec[1], spec[2], spec[4], used, at, before, spec[6]), spec[5])
    if passes and spending then
      keep(KEYS[key + i], used, at, before, reset)
    end
    replies[out + 1], replies[out + 2], replies[out + 3], replies[out + 4] = granted, math.max(0, room), retry, reset
    out = out + 4
  end
  key = key + count
end
return replies
