-- Ends a session, under whichever of its ids.
-- KEYS 1 the session
-- ARGV 1 what stands before keys of its home  2 hash  3 for how long a tombstone is kept where nothing is known, ms; 0: none is
-- Returns 1 it was there, 0 not
-- include session.lua
local key, hash = find(ARGV[1], ARGV[2])
if key then
  bury(ARGV[1], hash, tonumber(ARGV[3]))
end
if hash ~= ARGV[2] and (redis.call('EXISTS', KEYS[1]) == 1 or tonumber(ARGV[3]) > 0) then
  bury(ARGV[1], ARGV[2], tonumber(ARGV[3]))
end
return key and 1 or 0
