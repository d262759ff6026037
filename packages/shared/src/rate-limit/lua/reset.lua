-- Counters as if never used; all processes are told.
-- KEYS the counters, all of one slot
-- ARGV 1 channel of the news  2 how many characters of a key come before the counter's id
redis.call('DEL', unpack(KEYS))
for i = 1, #KEYS do
  redis.call('PUBLISH', ARGV[1], 'c' .. string.sub(KEYS[i], ARGV[2] + 1))
end
return 1
