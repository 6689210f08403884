-- Engines that an administrator added. The secret in `body` is sealed; the key is not in this database.
CREATE TABLE engines (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    body json NOT NULL
);

-- Tells every replica to read them again.
CREATE FUNCTION notify_engines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('resync_engines', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER engines_changed AFTER INSERT OR UPDATE OR DELETE ON engines
    FOR EACH ROW EXECUTE FUNCTION notify_engines();
CREATE TRIGGER engines_emptied AFTER TRUNCATE ON engines EXECUTE FUNCTION notify_engines();
