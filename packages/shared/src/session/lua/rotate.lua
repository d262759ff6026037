-- Moves a session to another id.
-- KEYS 1 the session  2 the session under its other id
-- ARGV 1 what stands before keys of its home  2 hash  3 the other hash  4 for how long the id before leads to it, ms
-- Returns the session; nil: there is none
-- include session.lua
local key, hash = find(ARGV[1], ARGV[2])
if not key or not touch(key) then
  return false
end
redis.call('RENAME', key, KEYS[2])
local born, ends, _, user = facts(KEYS[2])
if user ~= '' then
  redis.call('ZREM', ARGV[1] .. 'u:' .. user, hash)
  index(ARGV[1], user, ARGV[3], tonumber(born), tonumber(ends))
end
redis.call('HSET', key, 'n', ARGV[3], 'g', text(now + ARGV[4]))
redis.call('PEXPIRE', key, text(ends - now))
return reply(KEYS[2], ARGV[3])
