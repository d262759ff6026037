#!lua flags=allow-oom
-- Writes a short-lived key that tells something by its push, where it must be told of (R23); elsewhere a plain SET does.
-- KEYS 1 key   ARGV 1 time to live, ms
-- Returns OK
-- It runs although the memory is full: it makes room for nothing, and those that wait for it would wait on.
return redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
