-- Ends a family of refresh tokens.
-- KEYS 1 the family  2 the mark of one that has ended
-- ARGV 1 channel  2 for how long the mark is kept, ms
redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
redis.call('DEL', KEYS[1])
redis.pcall('PUBLISH', ARGV[1], KEYS[2])
return 1
