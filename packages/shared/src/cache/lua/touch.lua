-- Rewrites the expiries of an entry and nothing else, if it is still the one that was judged (R14).
-- KEYS 1 entry   ARGV 1 not after, Redis ms  2 header head, as judged  3 sequence, as judged, and a space  4 soft ttl, ms  5 hard ttl, ms
-- Returns 1 rewritten, 0 another entry, none, or too late
-- The head and the two expiries have fixed widths: 13 digits and a space each.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local entry = redis.call('GET', KEYS[1])
local tail = #ARGV[2] + 29
if not entry or now > tonumber(ARGV[1]) or string.sub(entry, 1, #ARGV[2]) ~= ARGV[2]
  or string.sub(entry, tail, tail + #ARGV[3] - 1) ~= ARGV[3] then
  return 0
end
local head = string.format('%s%013.0f %013.0f ', ARGV[2], now + ARGV[4], now + ARGV[5])
redis.call('SET', KEYS[1], head .. string.sub(entry, tail), 'PX', ARGV[5])
return 1
