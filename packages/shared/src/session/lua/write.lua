-- Replaces the data of a session that still has this version.
-- KEYS 1 the session
-- ARGV 1 what stands before keys of its home  2 hash  3 version  4 codec  5 data
-- Returns the session; 0: it has another version; nil: there is none
-- include session.lua
local key, hash = find(ARGV[1], ARGV[2])
if not key or not touch(key) then
  return false
end
if redis.call('HGET', key, 'v') ~= ARGV[3] then
  return 0
end
redis.call('HSET', key, 'v', text(ARGV[3] + 1), 'd', ARGV[4] .. ARGV[5])
return reply(key, hash)
