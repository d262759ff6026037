-- Ends a user's sessions.
-- KEYS 1 the index
-- ARGV 1 what stands before keys of its home  2 1: of one tenant alone  3 the tenant, empty: none  4 hash of one that is spared, or empty
-- Returns how many
-- include session.lua
local ended = 0
local spared = ARGV[4]
if spared ~= '' then
  local _, hash = find(ARGV[1], spared)
  spared = hash or spared
end
for _, hash in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local born, _, _, _, tenant = facts(ARGV[1] .. 's:' .. hash)
  if not born then
    redis.call('ZREM', KEYS[1], hash)
  elseif hash ~= spared and (ARGV[2] ~= '1' or tenant == ARGV[3]) then
    bury(ARGV[1], hash, 1)
    ended = ended + 1
  end
end
return ended
