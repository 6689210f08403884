-- A write that Redis refuses when it is full, or only a replica.
-- KEYS[1]  a key of the asker's own
redis.call('SET', KEYS[1], '1', 'PX', 5000)
return redis.status_reply('OK')
