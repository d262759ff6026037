#!lua flags=allow-oom
-- Places or extends the members of a hold (R13).
-- KEYS 1 clock   ARGV 1 time to live, ms  2 'place' or 'renew'  3 most members in all  4… members
-- Returns 1 done, 0 refused: too many (place), or one is gone (renew), -1 there is no clock
-- It runs although the memory is full, as bump.lua does, and why.
-- Their score is the end in this server's ms: above 2^40, and so above every sequence, and below 2^45, where generations begin.
if not redis.call('ZSCORE', KEYS[1], '#g') then
  return -1
end
local new = 0
for i = 4, #ARGV do
  if not redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    new = new + 1
  end
end
if ARGV[2] == 'renew' then
  if new > 0 then
    return 0
  end
elseif redis.call('ZCOUNT', KEYS[1], 2 ^ 40, string.format('(%.0f', 2 ^ 45)) + new > tonumber(ARGV[3]) then
  return 0
end
local time = redis.call('TIME')
local ends = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1])
for i = 4, #ARGV do
  redis.call('ZADD', KEYS[1], ends, ARGV[i])
end
return 1
