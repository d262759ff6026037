-- Messages for one consumer of a group: those that another left behind, then new ones. Makes the group where there is none.
-- KEYS 1 the log
-- ARGV 1 group  2 consumer  3 how many at most  4 left behind: not touched for so many ms; empty: they are not looked for
--      5 where the group begins: an id, or $  6 for how long the log is kept, ms
-- Returns { 1 some may be gone that the group did not get or finish | 0, 1 there may be more now | 0,
--           for each message { id, message, how often it was handed out } }

-- A list of names and values as a table.
local function table_of(list)
  local out = {}
  for i = 1, #list, 2 do
    out[list[i]] = list[i + 1]
  end
  return out
end

local reached
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if not groups.err then
  for _, each in ipairs(groups) do
    local group = table_of(each)
    if group.name == ARGV[1] then
      reached = group['last-delivered-id']
    end
  end
end
local looks = ARGV[4] ~= ''
if not reached then
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[5], 'MKSTREAM')
  reached = ARGV[5]
end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local missed = 0
-- All that it may still have to get is there while the log has one message that it had.
if first and reached ~= '$' and reached ~= '0-0' and #redis.call('XRANGE', KEYS[1], '-', reached, 'COUNT', 1) == 0 then
  missed = 1
end

if looks or redis.call('PTTL', KEYS[1]) < 0 then
  -- A group must not end while it has consumers, only because nothing happens. The last message stays: the next one names it.
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[6]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[6])
  end
  local clock = redis.call('TIME')
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  local old = clock[1] * 1000 + math.floor(clock[2] / 1000) - ARGV[6]
  if last and old > 0 then
    local last_ms = tonumber(string.match(last[1], '^%d+'))
    redis.call('XTRIM', KEYS[1], 'MINID', old < last_ms and string.format('%.0f', old) or last[1])
  end
end

local room = tonumber(ARGV[3])
local found = 0
local out = {}
if looks and room > 0 then
  for _, pending in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[4], '-', '+', room)) do
    found = found + 1
    local entry = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, pending[1])[1]
    if entry and entry[2] then
      out[#out + 1] = { entry[1], entry[2][2], pending[4] + 1 }
    else
      redis.call('XACK', KEYS[1], ARGV[1], pending[1])
      missed = 1
    end
  end
  -- Those of processes that are gone. One that is only quiet is made again by its next message.
  for _, each in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local consumer = table_of(each)
    if consumer.pending == 0 and consumer.idle > 20 * ARGV[4] then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    end
  end
end
if found < room then
  local fresh = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', room - found, 'STREAMS', KEYS[1], '>')
  if fresh then
    for _, entry in ipairs(fresh[1][2]) do
      found = found + 1
      out[#out + 1] = { entry[1], entry[2][2], 1 }
    end
  end
end
return { missed, (room > 0 and found >= room) and 1 or 0, out }
