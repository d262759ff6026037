-- What the scripts of a lock share. The script has `now`, Redis' ms.
-- KEYS 1 holders  2 line  3 waiters
-- A holder is a member of 1, with the Redis ms at which its time ends; it begins with 'x' when it excludes all others, else with 's'.
-- A waiter is a process: a member of 2 with its ticket, and a field of 3 with the Redis ms until which it counts as alive, and its mode.
-- A mode is 'x', to be alone, or the number of those who may hold together.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)

local function forget(waiter)
  redis.call('ZREM', KEYS[2], waiter)
  redis.call('HDEL', KEYS[3], waiter)
end

-- The waiter whose turn it is, its mode, and until when it counts as alive. The dead in front of it are forgotten.
local function first()
  while true do
    local waiter = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
    if not waiter then
      return nil
    end
    local alive, mode = string.match(redis.call('HGET', KEYS[3], waiter) or '', '^(%d+) (%w+)$')
    if alive and tonumber(alive) > now then
      return waiter, mode, tonumber(alive)
    end
    forget(waiter)
  end
end

-- Whether one more may hold the lock beside those who do.
local function admits(mode)
  local holders = redis.call('ZCARD', KEYS[1])
  if holders == 0 then
    return true
  end
  if mode == 'x' or holders >= tonumber(mode) then
    return false
  end
  return string.sub(redis.call('ZRANGE', KEYS[1], 0, 0)[1], 1, 1) ~= 'x'
end

-- Tells the process whose turn it is, when it may come in, on its channel `<word>@lock:wake:<process>` by the key of the holders. It comes and
-- claims: a message that is lost takes nothing from anybody, and one that a user without the channel may not send must not fail what is done.
local function wake()
  local waiter, mode = first()
  if waiter and admits(mode) then
    redis.pcall('PUBLISH', string.match(KEYS[1], '^[^@]+@lock:') .. 'wake:' .. waiter, KEYS[1])
  end
end
