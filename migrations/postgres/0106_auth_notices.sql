-- Tells every replica, with the commit, that something it may remember of a user, a session or an API
-- key is wrong now. A new one, and the use of one, make nothing wrong and tell nobody.
CREATE FUNCTION notify_auth() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('resync_auth', '');
    RETURN NULL;
END
$$;

-- By row, for a statement that changes no row tells nobody; the same notice is sent once a transaction.
CREATE TRIGGER users_changed
    AFTER DELETE OR UPDATE OF username, role, session_version ON users
    FOR EACH ROW EXECUTE FUNCTION notify_auth();
CREATE TRIGGER sessions_changed
    AFTER DELETE OR UPDATE OF user_id, token_id, expires_at_ms ON sessions
    FOR EACH ROW EXECUTE FUNCTION notify_auth();
CREATE TRIGGER api_keys_changed
    AFTER DELETE OR UPDATE OF user_id, digest, scopes, user_version, expires_at_ms ON api_keys
    FOR EACH ROW EXECUTE FUNCTION notify_auth();

CREATE TRIGGER users_emptied AFTER TRUNCATE ON users EXECUTE FUNCTION notify_auth();
CREATE TRIGGER sessions_emptied AFTER TRUNCATE ON sessions EXECUTE FUNCTION notify_auth();
CREATE TRIGGER api_keys_emptied AFTER TRUNCATE ON api_keys EXECUTE FUNCTION notify_auth();
