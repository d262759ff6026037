-- A user's sessions; what is gone leaves the index.
-- KEYS 1 the index
-- ARGV 1 what stands before keys of its home
-- Returns sessions, oldest first
-- include session.lua
local out = {}
for _, hash in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local key = ARGV[1] .. 's:' .. hash
  if redis.call('HEXISTS', key, 'v') == 1 then
    out[#out + 1] = reply(key, hash)
  else
    redis.call('ZREM', KEYS[1], hash)
  end
end
return out
