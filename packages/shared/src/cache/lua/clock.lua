-- Creates the tag clock if it is absent.
-- KEYS 1 clock   ARGV 1 random integer below 2^44
-- Returns { #g, #s, #f or false }, of one moment
-- A new generation is never an old one: random plus the server's microseconds, in [2^45, 2^46). What is left of a clock without a generation
-- is void, so it goes.
if not redis.call('ZSCORE', KEYS[1], '#g') then
  local time = redis.call('TIME')
  local g = 2 ^ 45 + (tonumber(ARGV[1]) + time[1] * 1000000 + time[2]) % 2 ^ 44
  redis.call('DEL', KEYS[1])
  redis.call('ZADD', KEYS[1], string.format('%.0f', g), '#g', 2, '#s')
end
return redis.call('ZMSCORE', KEYS[1], '#g', '#s', '#f')
