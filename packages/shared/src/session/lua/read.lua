-- A session, and a new idle time for it.
-- KEYS 1 the session
-- ARGV 1 what stands before keys of its home  2 hash
-- Returns the session; nil: there is none
-- include session.lua
local key, hash = find(ARGV[1], ARGV[2])
if not key or not touch(key) then
  return false
end
return reply(key, hash)
