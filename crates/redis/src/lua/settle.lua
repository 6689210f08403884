-- Gives an attempt back; after a right password all of the same account from the same address.
--
-- KEYS     as in attempt.lua
-- ARGV[1]  the attempt's id
-- ARGV[2]  the address
-- ARGV[3]  the account
-- ARGV[4]  "1" when the password was right
--
-- Frees memory only, so a Redis that is full runs it too.
local account, address, all = KEYS[1], KEYS[2], KEYS[3]

local function give_back(id)
    redis.call('ZREM', account, id .. '@' .. ARGV[2])
    redis.call('ZREM', address, id .. '@' .. ARGV[3])
    redis.call('ZREM', all, id)
end

give_back(ARGV[1])
if ARGV[4] == '1' then
    for _, entry in ipairs(redis.call('ZRANGE', account, 0, -1)) do
        local id, from = string.match(entry, '^(%d+)@(.*)$')
        if from == ARGV[2] then
            give_back(id)
        end
    end
end
return redis.status_reply('OK')
