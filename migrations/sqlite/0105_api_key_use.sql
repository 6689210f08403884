-- When a key was last used, to the minute.
ALTER TABLE api_keys ADD COLUMN last_used_at_ms INTEGER;
