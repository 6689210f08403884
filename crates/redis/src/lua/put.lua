-- Writes an entry and ends the lease, unless the lease is over or the entry is void already.
--
-- KEYS      as in look.lua
-- ARGV[1]   the holder's token
-- ARGV[2]   what the scopes were at when the lease began
-- ARGV[3]   the bytes
-- ARGV[4]   how long ago it was fetched, in milliseconds
-- ARGV[5]   how long it is kept, in milliseconds
--
-- Returns 1 when it was written, else 0.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
    return 0
end
local at = {}
for i, generation in ipairs(redis.call('MGET', unpack(KEYS, 3))) do
    at[i] = generation or ''
end
local written = 0
if table.concat(at, ',') == ARGV[2] then
    local time = redis.call('TIME')
    local fetched = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[4]
    -- Writing comes before deleting: Redis looks whether it is full at a script's first write alone.
    redis.call('HSET', KEYS[1], 'b', ARGV[3], 't', string.format('%.0f', fetched), 'g', ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
    written = 1
end
redis.call('DEL', KEYS[2])
return written
