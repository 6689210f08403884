-- Begins the work of a key, or tells what came of it.
--
-- KEYS[1]  a hash of the question `q` and, while it is under way, the holder's token `t`, or the answer `a`
-- ARGV[1]  the question's digest
-- ARGV[2]  the asker's token
-- ARGV[3]  how long the work may take, in milliseconds
--
-- Returns {0, ''} to who is to do it, {1, answer}, {2, ''} while it is under way, {3, ''} to another
-- question.
local known = redis.call('HMGET', KEYS[1], 'q', 'a')
if not known[1] then
    redis.call('HSET', KEYS[1], 'q', ARGV[1], 't', ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    return {0, ''}
end
if known[1] ~= ARGV[1] then
    return {3, ''}
end
if known[2] then
    return {1, known[2]}
end
return {2, ''}
