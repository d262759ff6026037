-- Counters as if never used; all processes are told.
-- KEYS the counters, all of one slot
-- ARGV 1 channel of the news  2 how many characters of a key come before the counter's id
-- First, for a user who may not publish fails here, and then nothing was done.
for i = 1, #KEYS do
  redis.call('PUBLISH', ARGV[1], 'c' .. string.sub(KEYS[i], ARGV[2] + 1))
end
redis.call('DEL', unpack(KEYS))
return 1
