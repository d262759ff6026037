-- Sets a mark, and tells those who hear of writes by messages alone.
-- KEYS 1 the mark
-- ARGV 1 channel  2 'PXAT' or 'PX'  3 when it ends, ms
redis.call('SET', KEYS[1], '1', ARGV[2], ARGV[3])
redis.pcall('PUBLISH', ARGV[1], KEYS[1])
return 1
