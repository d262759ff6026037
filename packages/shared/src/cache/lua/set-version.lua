-- Stores an entry that has a version, unless a newer one of the same generation, or of a later one, is there (R14), and drops the lease.
-- KEYS 1 entry  2 lease   ARGV 1 not after, Redis ms  2 header head  3 header tail and payload  4 soft ttl, ms  5 hard ttl, ms  6 version
-- Returns 1 stored, 0 too late, 2 a newer one is there: then the lease stays
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[1]) then
  return 0
end
-- Decimal texts without leading zeros: the longer one is the greater; a double would lose digits. Generations have 14 digits all. An entry of
-- a later one means that the writer is behind: the clock read beside this tells it so, and it comes again. Of a clock that was lost such an
-- entry is void: then it is a miss that stays one.
local g, there = string.match(redis.call('GETRANGE', KEYS[1], 0, 200), '^v1 %a (%d+) %S+ %d+ %d+ %d+ %S+ (%d+) ')
if there and g >= string.sub(ARGV[2], 6, 19) and (#there > #ARGV[6] or (#there == #ARGV[6] and there > ARGV[6])) then
  return 2
end
redis.call('SET', KEYS[1], string.format('%s%013.0f %013.0f ', ARGV[2], now + ARGV[4], now + ARGV[5]) .. ARGV[3], 'PX', ARGV[5])
redis.call('DEL', KEYS[2])
return 1
