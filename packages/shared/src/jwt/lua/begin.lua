-- A new family of refresh tokens.
-- KEYS 1 the family
-- ARGV 1 its token  2 its life, ms
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'token', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
