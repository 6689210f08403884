-- The audit: rows are added at the end and never change. `body` is the text that `hash` seals; `action`
-- and `action_id` repeat parts of it for look-ups alone.
CREATE TABLE audit (
    seq       INTEGER NOT NULL PRIMARY KEY,
    id        BLOB    NOT NULL UNIQUE,
    action    TEXT    NOT NULL,
    action_id BLOB,
    body      TEXT    NOT NULL,
    prev_hash TEXT    NOT NULL,
    hash      TEXT    NOT NULL
) STRICT;

-- One outcome an action, whoever writes it.
CREATE UNIQUE INDEX audit_outcomes ON audit (action_id) WHERE action = 'action.outcome';
CREATE INDEX audit_intents ON audit (action_id) WHERE action = 'action.intent';

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

-- Also stops INSERT OR REPLACE, which removes rows without the trigger above.
CREATE TRIGGER audit_at_the_end BEFORE INSERT ON audit
WHEN NEW.seq <> coalesce((SELECT max(seq) FROM audit), 0) + 1
BEGIN
    SELECT RAISE(ABORT, 'the audit grows at its end');
END;
