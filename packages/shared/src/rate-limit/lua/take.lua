-- Takes from all counters of a demand, or from none; several demands after each other.
-- KEYS the counters of all demands, in order, all of one slot
-- ARGV 1 1: take; 0: only look  2 how many specs there are
--      for each spec: algorithm, limit, burst, window in ticks, tick in microseconds
--      for each row of demands that ask alike: how many they are, how many counters each has; for each of these: number of its spec (from 1), cost,
--      most
-- Returns for each counter: granted (0 refused), remaining, retry in microseconds, reset in microseconds
-- include counting.lua
local spending = ARGV[1] == '1'
local kept = redis.call('MGET', unpack(KEYS))
-- States by key, of those that something was taken from: a counter of several demands is written once, as the last of them leaves it.
local spent = {}
local replies, key = {}, 0

-- The counters of a demand from its number `i` on; `passes`: those before let it pass. Answers whether all do. What is known of a counter waits in
-- the locals until the others have been asked.
local function judge(asks, i, passes)
  local ask = asks[i]
  if not ask then
    return passes
  end
  local spec, name, used, at, before = ask.spec, KEYS[key + i], 0, 0, 0
  local state = spent[name]
  if state then
    used, at, before = state[1], state[2], state[3]
  elseif kept[key + i] then
    used, at, before = state_in(kept[key + i])
  end
  used, at, before = settle(spec, used, at, before)
  local room = free(spec, used, at, before)
  local granted = ask.cost <= room and min(ask.most, room) or 0
  passes = judge(asks, i + 1, passes and granted > 0)

  local retry, takes = 0, passes and spending
  if granted == 0 then
    retry = us(wait(spec, used, at, before, ask.cost), spec)
  elseif takes then
    used = used + granted * (spec.kind == 'b' and spec.window or 1)
    room = room - granted
  end
  local reset = us(ends(spec, used, at, before), spec)
  if takes then
    spent[name] = { used, at, before, reset }
  end
  local out = 4 * (key + i)
  replies[out - 3], replies[out - 2], replies[out - 1], replies[out] = granted, max(0, room), retry, reset
  return passes
end

local specs, place = {}, 2
for i = 1, ARGV[2] do
  specs[i] = spec_after(place)
  place = place + 5
end
while ARGV[place + 1] do
  local times, count, asks = ARGV[place + 1], ARGV[place + 2], {}
  place = place + 2
  for i = 1, count do
    local spec, cost, most = unpack(ARGV, place + 1, place + 3)
    asks[i] = { spec = specs[tonumber(spec)], cost = tonumber(cost), most = tonumber(most) }
    place = place + 3
  end
  for _ = 1, times do
    judge(asks, 1, true)
    key = key + #asks
  end
end
for name, state in pairs(spent) do
  keep(name, unpack(state))
end
return replies
