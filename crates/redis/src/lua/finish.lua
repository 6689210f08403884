-- Keeps the answer of a work, or gives the work up, if it is still the holder's.
--
-- KEYS[1]  as in begin.lua
-- ARGV[1]  the holder's token
-- ARGV[2]  how long the answer is kept, in milliseconds; 0 gives the work up
-- ARGV[3]  the answer
if redis.call('HGET', KEYS[1], 't') ~= ARGV[1] then
    return redis.status_reply('LATE')
end
if ARGV[2] == '0' then
    redis.call('DEL', KEYS[1])
else
    redis.call('HSET', KEYS[1], 'a', ARGV[3])
    redis.call('HDEL', KEYS[1], 't')
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.status_reply('OK')
