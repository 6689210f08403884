-- Makes void what is within a scope, and tells the replicas.
--
-- KEYS[1]  what the scope is at
-- KEYS[2]  the last number given to any scope
-- ARGV[1]  how long the scope's number is kept, in milliseconds: longer than any entry or lease
-- ARGV[2]  the channel
-- ARGV[3]  the notice
local number = redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
redis.call('SET', KEYS[1], number, 'PX', ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return redis.status_reply('OK')
