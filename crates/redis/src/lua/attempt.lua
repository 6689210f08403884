-- Counts an attempt on a password, or says how long it is refused. A refused one counts nowhere.
--
-- KEYS[1]  attempts on the account: a sorted set of "<id>@<address>" by time
-- KEYS[2]  attempts from the address: a sorted set of "<id>@<account>" by time
-- KEYS[3]  all attempts: a sorted set of "<id>" by time
-- ARGV[1]  the attempt's id; empty asks without counting
-- ARGV[2]  the address
-- ARGV[3]  the account
-- ARGV[4]  the window in microseconds
-- ARGV[5]  attempts on the account from the address, at most
-- ARGV[6]  attempts on the account, at most
-- ARGV[7]  attempts from the address, at most
-- ARGV[8]  attempts in all, at most
--
-- Returns 0, or the microseconds until the next attempt is counted, at the earliest.
local account, address, all = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local window = tonumber(ARGV[4])

-- What is older has left the window, whether it was taken out yet or not.
local expired = string.format('%.0f', now - window)
local inside = '(' .. expired

local wait = 0
-- The attempt at `at` must leave the window before another one fits.
local function until_it_leaves(at)
    wait = math.max(wait, tonumber(at) + window - now)
end

local function check(key, limit)
    local surplus = redis.call('ZCOUNT', key, inside, '+inf') - limit
    if surplus >= 0 then
        until_it_leaves(redis.call(
            'ZRANGEBYSCORE', key, inside, '+inf', 'WITHSCORES', 'LIMIT', surplus, 1)[2])
    end
end
check(account, tonumber(ARGV[6]))
check(address, tonumber(ARGV[7]))
check(all, tonumber(ARGV[8]))

-- The account has few attempts, the limit sees to it; those from this address are among them.
local from_here = {}
local entries = redis.call('ZRANGEBYSCORE', account, inside, '+inf', 'WITHSCORES')
for i = 1, #entries, 2 do
    if string.match(entries[i], '@(.*)$') == ARGV[2] then
        from_here[#from_here + 1] = entries[i + 1]
    end
end
local surplus = #from_here - tonumber(ARGV[5])
if surplus >= 0 then
    until_it_leaves(from_here[surplus + 1])
end

if wait > 0 or ARGV[1] == '' then
    return wait
end

-- Adding comes before taking out: Redis looks whether it is full at a script's first write alone, and
-- what frees memory it never refuses.
local at = string.format('%.0f', now)
redis.call('ZADD', account, at, ARGV[1] .. '@' .. ARGV[2])
redis.call('ZADD', address, at, ARGV[1] .. '@' .. ARGV[3])
redis.call('ZADD', all, at, ARGV[1])
local lives = string.format('%.0f', math.ceil(window / 1000))
for _, key in ipairs(KEYS) do
    redis.call('ZREMRANGEBYSCORE', key, '-inf', expired)
    redis.call('PEXPIRE', key, lives)
end
return 0
