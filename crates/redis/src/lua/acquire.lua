-- Takes a lease that nobody has.
--
-- KEYS[1]  the lease
-- KEYS[2]  the number of its last holder
-- ARGV[1]  the asker's token
-- ARGV[2]  how long it lasts, in milliseconds
-- ARGV[3]  how long the number is kept, in milliseconds
--
-- Returns the holder's number, or 0 while another has it. Numbers grow, also when this store forgot the
-- last one, as long as its clock does not go back.
if redis.call('EXISTS', KEYS[1]) == 1 then
    return 0
end
local time = redis.call('TIME')
local number = time[1] * 1000000 + time[2]
number = math.max(number, tonumber(redis.call('GET', KEYS[2]) or 0) + 1)
redis.call('SET', KEYS[2], string.format('%.0f', number), 'PX', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return number
