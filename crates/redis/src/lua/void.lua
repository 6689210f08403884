-- Makes void what is within a scope, and tells the replicas.
--
-- KEYS[1]  what the scope is at
-- KEYS[2]  the last number given to any scope
-- KEYS[3]  the time since which entries count at all
-- ARGV[1]  how long the scope's number is kept, in milliseconds: longer than any entry or lease
-- ARGV[2]  the channel
-- ARGV[3]  the notice
local number = redis.pcall('INCR', KEYS[2])
if type(number) ~= 'table' then
    redis.call('PEXPIRE', KEYS[2], ARGV[1])
    redis.call('SET', KEYS[1], number, 'PX', ARGV[1])
else
    -- Full. What frees memory is never refused: without this key every entry is void.
    number = redis.pcall('DEL', KEYS[3])
end
redis.call('PUBLISH', ARGV[2], ARGV[3])
if type(number) == 'table' then
    return number
end
return redis.status_reply('OK')
