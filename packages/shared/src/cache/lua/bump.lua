#!lua flags=allow-oom
-- Marks tags as invalidated now (R1); O(tags), whatever number of entries carry them. Beside it members of holds go (R13).
-- KEYS 1 clock   ARGV 1 most tags kept  2 'all': remove the members, 'expired': those that are  3 number of members  4… members, tags
-- Returns the new sequence
-- It runs although the server's memory is full (allow-oom): refused, it would leave what should be gone to be answered until memory is free.
-- What it takes is bounded: a member a tag, and no more tags than are kept.
-- One call takes two sequences: the marks get the first, #s ends on the second. So a delta from #s (inclusive) repeats no mark.
local s = tonumber(redis.call('ZINCRBY', KEYS[1], 2, '#s'))
local mark = string.format('%.0f', s - 1)
local firstTag = 4 + tonumber(ARGV[3])
for first = firstTag, #ARGV, 1000 do
  local members = {}
  for i = first, math.min(first + 999, #ARGV) do
    members[#members + 1] = mark
    members[#members + 1] = 't:' .. ARGV[i]
  end
  redis.call('ZADD', KEYS[1], unpack(members))
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 4, firstTag - 1 do
  local ends = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if ends and (ARGV[2] == 'all' or tonumber(ends) <= now) then
    redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
-- Beyond the limit the oldest marks go, a hundredth at a time, and the floor rises to the last of them: an entry that may have carried one
-- of them is judged by the floor from now on. Marks are the members above 0 and below #s, but for #f.
local below = '(' .. string.format('%.0f', s)
local marks = redis.call('ZCOUNT', KEYS[1], '(0', below)
local excess = marks - (redis.call('ZSCORE', KEYS[1], '#f') and 1 or 0) - tonumber(ARGV[1])
if excess > 0 then
  local left = excess + math.floor(tonumber(ARGV[1]) / 100)
  local floor
  while left > 0 do
    local oldest = redis.call('ZRANGE', KEYS[1], '(0', below, 'BYSCORE', 'LIMIT', 0, math.min(left, 1000) + 1, 'WITHSCORES')
    local gone = {}
    for i = 1, #oldest, 2 do
      if oldest[i] ~= '#f' and #gone < left then
        gone[#gone + 1] = oldest[i]
        floor = oldest[i + 1]
      end
    end
    if #gone == 0 then
      break
    end
    redis.call('ZREM', KEYS[1], unpack(gone))
    left = left - #gone
  end
  if floor then
    redis.call('ZADD', KEYS[1], 'GT', floor, '#f')
  end
end
return string.format('%.0f', s)
