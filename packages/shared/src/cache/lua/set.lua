-- Stores an entry on behalf of a writer that still waits for it (R14): a call that its caller has given up must not land later.
-- KEYS 1 entry   ARGV 1 not after, Redis ms  2 header head  3 header tail and payload  4 soft ttl, ms  5 hard ttl, ms
-- Returns 1 stored, 0 too late
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], string.format('%s%013.0f %013.0f ', ARGV[2], now + ARGV[4], now + ARGV[5]) .. ARGV[3], 'PX', ARGV[5])
return 1
