-- How the three algorithms count, in whole numbers below 2^53: what counting.ts does, line by line, and explains.
-- A state is three numbers: used, at, before. A spec is five: its algorithm (b bucket, s sliding, f fixed), limit, burst, window and tick.
local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]

local function quotient(a, b)
  local rest = math.fmod(a, b)
  if rest < 0 then
    rest = rest + b
  end
  return (a - rest) / b
end

local function quotient_up(a, b)
  return -quotient(-a, b)
end

local function left(window, at, now)
  return math.min(window, (at + 1) * window - now)
end

-- The state in `text` as it is at the tick `now`.
local function settle(kind, limit, window, text, now)
  local used, at, before = 0, 0, 0
  if text then
    local first, second, third = string.match(text, '^(%d+) (%d+) (%d+)$')
    used, at, before = tonumber(first), tonumber(second), tonumber(third)
  end
  if kind == 'b' then
    return math.max(0, used - math.max(0, now - at) * limit), now, 0
  end
  if kind == 'f' then
    if now >= at or used == 0 then
      return 0, now + window, 0
    end
    return used, math.min(at, now + window), 0
  end
  local current = quotient(now, window)
  if at >= current then
    return used, at, before
  end
  return 0, current, at == current - 1 and used or 0
end

-- Whole units that are free.
local function free(kind, limit, burst, window, used, at, before, now)
  if kind == 'b' then
    return quotient(burst * window - used, window)
  end
  if kind == 'f' then
    return limit - used
  end
  return quotient((limit - used) * window - before * left(window, at, now), window)
end

-- Ticks until `cost` is free, which it is not now; the window when it can never be.
local function wait(kind, limit, burst, window, used, at, before, now, cost)
  if cost > burst then
    return window
  end
  if kind == 'b' then
    return quotient_up(used - (burst - cost) * window, limit)
  end
  if kind == 'f' then
    return at - now
  end
  if used + cost <= limit then
    return left(window, at, now) - quotient((limit - used - cost) * window, before)
  end
  return left(window, at, now) + math.max(0, window - quotient((limit - cost) * window, used))
end

-- Ticks until it is as if never used.
local function ends(kind, limit, window, used, at, before, now)
  if kind == 'b' then
    return used == 0 and 0 or limit == 0 and window or quotient_up(used, limit)
  end
  if kind == 'f' then
    return used > 0 and at - now or 0
  end
  return used > 0 and left(window, at, now) + window or before > 0 and left(window, at, now) or 0
end

-- From now until so many ticks after the tick of now began, in microseconds.
local function us(ticks, tick)
  return ticks == 0 and 0 or math.min(ticks * tick, 9000000000000000) - math.fmod(micros, tick)
end

-- Kept for a second longer than it means anything, for Redis' clock of expiry is not this one.
local function keep(key, used, at, before, reset)
  redis.call('SET', key, string.format('%.0f %.0f %.0f', used, at, before), 'PX', quotient_up(reset, 1000) + 1000)
end
