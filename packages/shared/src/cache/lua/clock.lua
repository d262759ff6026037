#!lua flags=allow-oom
-- Creates the tag clock if it is absent, and moves its generation on once for each master that it comes to lie on (R2, R16).
-- KEYS 1 clock   ARGV 1 random integer below 2^44  2 epoch of the master, '' where failovers are trusted  3 '1' create, '0' only move on
-- Returns { #g, #s, #f or false }, of one moment
-- It runs although the memory is full, as bump.lua does, and why.
-- A new generation is never an old one: random plus the server's microseconds, in [2^45, 2^46). What is left of a clock without a generation
-- is void, so it goes. Members at score 0 are the epochs, and there is one of them.
local g = redis.call('ZSCORE', KEYS[1], '#g')
if not g and ARGV[3] == '1' then
  local time = redis.call('TIME')
  local new = 2 ^ 45 + (tonumber(ARGV[1]) + time[1] * 1000000 + time[2]) % 2 ^ 44
  redis.call('DEL', KEYS[1])
  redis.call('ZADD', KEYS[1], string.format('%.0f', new), '#g', 2, '#s')
elseif g and ARGV[2] ~= '' and not redis.call('ZSCORE', KEYS[1], 'r:' .. ARGV[2]) then
  redis.call('ZINCRBY', KEYS[1], string.format('%.0f', 1 + tonumber(ARGV[1]) % 2 ^ 20), '#g')
  redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, 0)
  g = false
end
if not g and ARGV[2] ~= '' and redis.call('ZSCORE', KEYS[1], '#g') then
  redis.call('ZADD', KEYS[1], 0, 'r:' .. ARGV[2])
end
return redis.call('ZMSCORE', KEYS[1], '#g', '#s', '#f')
