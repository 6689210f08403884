-- Lets a lease last on from now, if it is still the holder's.
-- KEYS[1]  the lease
-- ARGV[1]  the holder's token
-- ARGV[2]  how long it lasts, in milliseconds
-- Returns 1, or 0 when it is lost. Takes no memory, so a Redis that is full runs it too.
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
