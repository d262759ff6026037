-- Stores a loaded entry if its lease still holds this value, then drops the lease (R8).
-- KEYS 1 entry  2 lease   ARGV 1 lease value  2 header head  3 header tail and payload  4 soft ttl, ms  5 hard ttl, ms
-- Returns 1 stored, 0 the lease is gone or another's
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], string.format('%s%013.0f %013.0f ', ARGV[2], now + ARGV[4], now + ARGV[5]) .. ARGV[3], 'PX', ARGV[5])
redis.call('DEL', KEYS[2])
return 1
