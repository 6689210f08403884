-- Finds an entry that is young enough and not void, or takes the lease to fetch it.
--
-- KEYS[1]   the entry: a hash of its bytes `b`, when it was fetched `t`, and what its scopes were at `g`
-- KEYS[2]   the lease on it
-- KEYS[3]   the time since which entries count at all
-- KEYS[4…]  what each of its scopes is at
-- ARGV[1]   the asker's token
-- ARGV[2]   how long its lease lasts, in milliseconds
-- ARGV[3]   the age in milliseconds that an entry must be younger than
-- ARGV[4]   how long KEYS[3] is kept, in milliseconds
--
-- Returns {1, bytes, age}, {2, what the scopes are at, 0} with the lease, or {3, '', 0} while another has it.
local time = redis.call('TIME')
if redis.call('EXISTS', KEYS[3]) == 0 then
    redis.call('SET', KEYS[3], time[1] .. '.' .. time[2], 'PX', ARGV[4])
end
local at = {}
for i, generation in ipairs(redis.call('MGET', unpack(KEYS, 3))) do
    at[i] = generation or ''
end
at = table.concat(at, ',')

local entry = redis.call('HMGET', KEYS[1], 't', 'g')
if entry[1] and entry[2] == at then
    -- Never less than nothing, should the clock have gone back.
    local age = math.max(time[1] * 1000 + math.floor(time[2] / 1000) - entry[1], 0)
    if age < tonumber(ARGV[3]) then
        return {1, redis.call('HGET', KEYS[1], 'b'), age}
    end
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return {2, at, 0}
end
return {3, '', 0}
