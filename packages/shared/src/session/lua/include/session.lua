-- A session is a hash: v version, d codec and data, s seen, f what stays as it was put, a line each, for every field more is read slower: born,
-- absolute end, idle time, user, tenant (empty: none), meta. Times in ms.
-- x: it was destroyed. n: it has another id now, whose hash this is, and g: until when this one leads there; after that this is a tombstone too.
-- The key of a session lives until it ends, idle or absolutely; a tombstone until the session would have ended absolutely.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function text(number)
  return string.format('%.0f', number)
end

-- Born, ends, idle, user, tenant; nil: it is no session.
local function facts(key)
  return string.match(redis.call('HGET', key, 'f') or '', '^(%d+)%c(%d+)%c(%d+)%c([^%c]*)%c([^%c]*)')
end

-- The key of the session that `hash` leads to, and its hash; nil: there is none. Each id on the way leads there directly from then on, so that a
-- way is not longer for many changes of an id: whoever has an old one could not log out.
local function find(prefix, hash)
  local passed, until_ = {}, nil
  for _ = 1, 10000 do
    local key = prefix .. 's:' .. hash
    local next, grace, version = unpack(redis.call('HMGET', key, 'n', 'g', 'v'))
    if not next then
      if not version then
        return nil
      end
      for i = #passed - 1, 1, -1 do
        until_ = math.min(passed[i][2], until_ or passed[i + 1][2])
        redis.call('HSET', passed[i][1], 'n', hash, 'g', text(until_))
      end
      return key, hash
    end
    if tonumber(grace) <= now then
      return nil
    end
    passed[#passed + 1] = { key, tonumber(grace) }
    hash = next
  end
  return nil
end

-- As the store answers it: with how long it lives if nobody reads it.
local function reply(key, hash)
  local fields = redis.call('HMGET', key, 'v', 'd', 's', 'f')
  fields[5] = text(now + math.max(0, redis.call('PTTL', key)))
  fields[6] = hash
  return fields
end

-- Somebody has it in hand: its idle time begins anew. Not at each read, for that would be a write.
local function touch(key)
  local _, ends, idle = facts(key)
  local life = math.min(tonumber(idle), tonumber(ends) - now)
  if life <= 0 then
    redis.call('DEL', key)
    return false
  end
  -- The key's own time: it is right also where the server's clock was set back. Near the absolute end it has no more to gain.
  if redis.call('PTTL', key) < life - idle / 20 or now - redis.call('HGET', key, 's') > idle / 20 then
    redis.call('PEXPIRE', key, text(life))
    redis.call('HSET', key, 's', text(now))
  end
  return true
end

-- Leaves a tombstone for as long as the session could have lived, or for `ms` where none is known.
local function bury(prefix, hash, ms)
  local key = prefix .. 's:' .. hash
  local _, ends, _, user = facts(key)
  local rest = ends and tonumber(ends) - now or math.max(redis.call('PTTL', key), ms)
  redis.call('DEL', key)
  redis.call('HSET', key, 'x', '1')
  redis.call('PEXPIRE', key, text(math.max(1, rest)))
  if user then
    redis.call('ZREM', prefix .. 'u:' .. user, hash)
  end
end

-- The index of a user lives as long as the longest of its sessions.
local function index(prefix, user, hash, born, ends)
  local key = prefix .. 'u:' .. user
  redis.call('ZADD', key, text(born), hash)
  if redis.call('PTTL', key) < ends - now then
    redis.call('PEXPIRE', key, text(ends - now))
  end
end
