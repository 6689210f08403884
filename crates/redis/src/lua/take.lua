-- Counts a request, or says how long it is refused (GCRA). A refused one costs nothing.
--
-- KEYS[1]  when all requests that were counted are earned again, in microseconds
-- ARGV[1]  what one request takes to be earned again, in microseconds
-- ARGV[2]  how many may come at once
--
-- Returns {how many more may come now, 0}, or {0, the microseconds until one may}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local each = tonumber(ARGV[1])
local burst = each * ARGV[2]
local earned = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + each
if earned - burst > now then
    return {0, earned - burst - now}
end
redis.call('SET', KEYS[1], string.format('%.0f', earned),
    'PX', string.format('%.0f', math.ceil((earned - now) / 1000)))
return {math.floor((now + burst - earned) / each), 0}
