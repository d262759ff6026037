-- Removes an entry where the write must be told of (R11, R23); elsewhere a plain UNLINK does.
-- KEYS 1 entry
-- Returns 1 removed, 0 it was not there
return redis.call('UNLINK', KEYS[1])
