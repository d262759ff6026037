-- Takes the lease of a load, or says who holds it (R7). The first answer after a lost reply is the same: whoever finds its own token has it.
-- KEYS 1 lease   ARGV 1 token  2 time to live, ms
-- Returns { stored value, time to live in ms }
-- The server's TIME makes the value unique even when a copy of this call lands late, after the lease was deleted.
local held = redis.call('GET', KEYS[1])
if held then
  return { held, redis.call('PTTL', KEYS[1]) }
end
local time = redis.call('TIME')
local value = ARGV[1] .. ':' .. time[1] .. string.format('%06d', time[2])
redis.call('SET', KEYS[1], value, 'PX', ARGV[2])
return { value, tonumber(ARGV[2]) }
