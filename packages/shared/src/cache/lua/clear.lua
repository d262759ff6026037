#!lua flags=allow-oom
-- Moves the clock's generation on (R2).
-- KEYS 1 clock   ARGV 1 by how much
-- Returns #g, or nil: there is no clock
-- It runs although the memory is full, as bump.lua does. Sent twice it moves on twice, never back; XX because a generation is only ever made by
-- clock.lua.
return redis.call('ZADD', KEYS[1], 'XX', 'INCR', ARGV[1], '#g')
