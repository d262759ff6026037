-- How the three algorithms count, in whole numbers below 2^53: what counting.ts does, line by line, and explains.
-- A state is three numbers: used, at, before. A spec is its algorithm (kind: b bucket, s sliding, f fixed), limit, burst, window and tick, and the
-- tick that it is now and the microseconds of it that are past.
local max, min = math.max, math.min
local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]

-- floor(a / b). Below 2^53 no quotient is rounded to a whole number that it is not: it is 1 / b away from it, and half a step is less there.
local function quotient(a, b)
  return (a - a % b) / b
end

local function quotient_up(a, b)
  return -quotient(-a, b)
end

local function left(window, at, now)
  return min(window, (at + 1) * window - now)
end

-- The spec whose algorithm, limit, burst, window and tick stand in ARGV after this place.
local function spec_after(place)
  local kind, limit, burst, window, tick = unpack(ARGV, place + 1, place + 5)
  limit, burst, window, tick = tonumber(limit), tonumber(burst), tonumber(window), tonumber(tick)
  local now = quotient(micros, tick)
  return { kind = kind, limit = limit, burst = burst, window = window, tick = tick, now = now, past = micros - now * tick }
end

-- The state of a counter from what MGET says. As doubles: exact below 2^53, and in a third of the time that digits take. What somebody else wrote
-- there – also what is no number, which no comparison is true of – is no state: others that are asked for in the same run must not fail by it.
local function state_in(kept)
  if kept and #kept == 24 then
    local used, at, before = struct.unpack('<ddd', kept)
    if used >= 0 and at >= 0 and before >= 0 and used + at + before < 2 ^ 60 then
      return used, at, before
    end
  end
  return 0, 0, 0
end

-- A state as it is now.
local function settle(spec, used, at, before)
  local now, window = spec.now, spec.window
  if spec.kind == 'b' then
    if at > now + window then
      return 0, now, 0
    end
    return at < now and max(0, used - (now - at) * spec.limit) or used, now, 0
  end
  if spec.kind == 'f' then
    if now >= at or at > now + 2 * window or used == 0 then
      return 0, now + window, 0
    end
    return used, at, 0
  end
  local current = quotient(now, window)
  if at == current or at == current + 1 then
    return used, at, before
  end
  return 0, current, at == current - 1 and used or 0
end

-- Whole units that are free.
local function free(spec, used, at, before)
  local window = spec.window
  if spec.kind == 'b' then
    return quotient(spec.burst * window - used, window)
  end
  if spec.kind == 'f' then
    return spec.limit - used
  end
  return quotient((spec.limit - used) * window - before * left(window, at, spec.now), window)
end

-- Ticks until `cost` is free, which it is not now; the window when it can never be.
local function wait(spec, used, at, before, cost)
  local limit, window = spec.limit, spec.window
  if cost > spec.burst then
    return window
  end
  if spec.kind == 'b' then
    return quotient_up(used - (spec.burst - cost) * window, limit)
  end
  if spec.kind == 'f' then
    return at - spec.now
  end
  if used + cost <= limit then
    return left(window, at, spec.now) - quotient((limit - used - cost) * window, before)
  end
  return left(window, at, spec.now) + max(0, window - quotient((limit - cost) * window, used))
end

-- Ticks until it is as if never used.
local function ends(spec, used, at, before)
  if spec.kind == 'b' then
    return used == 0 and 0 or spec.limit == 0 and spec.window or quotient_up(used, spec.limit)
  end
  if spec.kind == 'f' then
    return used > 0 and at - spec.now or 0
  end
  local rest = left(spec.window, at, spec.now)
  return used > 0 and rest + spec.window or before > 0 and rest or 0
end

-- From now until so many ticks after the tick of now began, in microseconds.
local function us(ticks, spec)
  return ticks == 0 and 0 or min(ticks * spec.tick, 9000000000000000) - spec.past
end

-- Kept for a second longer than it means anything, for Redis' clock of expiry is not this one.
local function keep(key, used, at, before, reset)
  redis.call('SET', key, struct.pack('<ddd', used, at, before), 'PX', math.ceil(reset / 1000) + 1000)
end
