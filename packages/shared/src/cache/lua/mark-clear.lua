#!lua flags=allow-oom
-- Leaves the marker that tells every process of a `clear` (R2), by its push.
-- KEYS 1 marker   ARGV 1 time to live, ms
-- Returns OK
-- It runs although the memory is full: what was cleared is not cleared before everybody was told.
return redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
