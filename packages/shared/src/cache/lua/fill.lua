-- Stores a loaded entry if its lease still holds this value, then drops the lease (R8). It keeps the version of the entry that it replaces (R14).
-- KEYS 1 entry  2 lease   ARGV 1 lease value  2 header head  3 header tail and payload  4 soft ttl, ms  5 hard ttl, ms
-- Returns 1 stored, 0 the lease is gone or another's
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
local tail = ARGV[3]
-- The version is the seventh word behind the codec, and the generation the first: of another generation it says nothing.
local g, version = string.match(redis.call('GETRANGE', KEYS[1], 0, 200), '^v1 %a (%d+) %S+ %d+ %d+ %d+ %S+ (%d+) ')
local _, last = string.find(tail, '^%d+ %d+ ')
if version and g == string.sub(ARGV[2], 6, 19) and string.sub(tail, last + 1, last + 2) == '- ' then
  tail = string.sub(tail, 1, last) .. version .. string.sub(tail, last + 2)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], string.format('%s%013.0f %013.0f ', ARGV[2], now + ARGV[4], now + ARGV[5]) .. tail, 'PX', ARGV[5])
redis.call('DEL', KEYS[2])
return 1
