-- Forgets what is counted against an account; the addresses stay as they are.
-- KEYS[1]  attempts on the account
redis.call('DEL', KEYS[1])
return redis.status_reply('OK')
