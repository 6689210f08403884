-- Ends a lease, if it is still the holder's. Frees memory only, so a Redis that is full runs it too.
-- KEYS[1]  the lease
-- ARGV[1]  the holder's token
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('DEL', KEYS[1])
end
return redis.status_reply('OK')
