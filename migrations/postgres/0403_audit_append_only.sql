-- No statement changes or removes a row of the audit, and a new one comes after the last. Who may turn
-- triggers off can get around this; the chain of hashes shows it.
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION audit_grows_at_its_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq IS DISTINCT FROM coalesce((SELECT max(seq) FROM audit), 0) + 1 THEN
        RAISE EXCEPTION 'the audit grows at its end' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
    EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_at_the_end BEFORE INSERT ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_grows_at_its_end();
-- Also where a replication or a restore would leave ordinary triggers out.
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_no_change;
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_no_truncate;
