-- Tells the replicas.
-- KEYS[1]  the channel
-- ARGV[1]  the notice
redis.call('PUBLISH', KEYS[1], ARGV[1])
return redis.status_reply('OK')
