-- Takes from all counters of a demand, or from none; several demands after each other.
-- KEYS the counters of all demands, in order, all of one slot
-- ARGV 1 1: take; 0: only look  2 how many specs there are
--      for each spec: algorithm, limit, burst, window in ticks, tick in microseconds
--      for each row of demands that ask alike: how many they are, how many counters each has; for each of these: number of its spec (from 1), cost,
--      most
-- Returns for each counter: granted (0 refused), remaining, retry in microseconds, reset in microseconds
-- include counting.lua
local spending = ARGV[1] == '1'
local specs, place = {}, 2
for i = 1, tonumber(ARGV[2]) do
  specs[i] = spec_after(place)
  place = place + 5
end

-- A counter of several demands is read once, and written once: as the last of them leaves it.
local used, at, before = {}, {}, {}
for i, kept in ipairs(redis.call('MGET', unpack(KEYS))) do
  local key = KEYS[i]
  used[key], at[key], before[key] = state_in(kept)
end
local spent, resets = {}, {}

local replies, key, out = {}, 0, 0
local keys, u, a, b, rooms, grants = {}, {}, {}, {}, {}, {}

-- One demand: the counters after number `key`, of `asks`.
local function judge(asks)
  local passes = true
  for i = 1, #asks do
    local ask, name = asks[i], KEYS[key + i]
    u[i], a[i], b[i] = settle(ask.spec, used[name], at[name], before[name])
    rooms[i] = free(ask.spec, u[i], a[i], b[i])
    grants[i] = ask.cost <= rooms[i] and min(ask.most, rooms[i]) or 0
    passes = passes and grants[i] > 0
  end
  local spends = passes and spending
  for i = 1, #asks do
    local ask, name, granted, retry = asks[i], KEYS[key + i], grants[i], 0
    if granted == 0 then
      retry = us(wait(ask.spec, u[i], a[i], b[i], ask.cost), ask.spec)
    elseif spends then
      u[i] = u[i] + granted * ask.unit
      rooms[i] = rooms[i] - granted
    end
    local reset = us(ends(ask.spec, u[i], a[i], b[i]), ask.spec)
    if spends then
      if not resets[name] then
        spent[#spent + 1] = name
      end
      used[name], at[name], before[name], resets[name] = u[i], a[i], b[i], reset
    end
    replies[out + 1], replies[out + 2], replies[out + 3], replies[out + 4] = granted, max(0, rooms[i]), retry, reset
    out = out + 4
  end
  key = key + #asks
end

while ARGV[place + 1] do
  local times, asks = tonumber(ARGV[place + 1]), {}
  local count = tonumber(ARGV[place + 2])
  place = place + 2
  for i = 1, count do
    local spec = specs[tonumber(ARGV[place + 1])]
    asks[i] = { spec = spec, cost = tonumber(ARGV[place + 2]), most = tonumber(ARGV[place + 3]) }
    asks[i].unit = spec.kind == 'b' and spec.window or 1
    place = place + 3
  end
  for _ = 1, times do
    judge(asks)
  end
end
for i = 1, #spent do
  local name = spent[i]
  keep(name, used[name], at[name], before[name], resets[name])
end
return replies
