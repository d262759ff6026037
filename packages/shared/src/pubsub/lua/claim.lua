-- Messages for one consumer of a group: those that another left behind, then new ones.
-- KEYS 1 the log
-- ARGV 1 group  2 consumer  3 how many at most  4 left behind: not touched for so many ms  5 where the group begins: an id, or $
--      6 for how long the log is kept, ms, when this makes it
-- Returns for each message { id, message, how often it was handed out }
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[5], 'MKSTREAM')
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
end
local found = redis.pcall('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[4], '0-0', 'COUNT', ARGV[3])
if found.err then
  if not string.find(found.err, 'NOGROUP', 1, true) then
    return found
  end
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[5])
  found = { '0-0', {}, {} }
end

local out = {}
for _, entry in ipairs(found[2]) do
  if entry and entry[2] then
    local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)
    out[#out + 1] = { entry[1], entry[2][2], pending[1] and pending[1][4] or 1 }
  end
end
local room = tonumber(ARGV[3]) - #out
if room > 0 then
  local fresh = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', room, 'STREAMS', KEYS[1], '>')
  if fresh then
    for _, entry in ipairs(fresh[1][2]) do
      out[#out + 1] = { entry[1], entry[2][2], 1 }
    end
  end
end
return out
