-- Login sessions. A session that has no row is over, so ending one is deleting its row.
-- No foreign key: ending the sessions of a deleted user must not depend on the order of the two.
CREATE TABLE sessions (
    id              BLOB    NOT NULL PRIMARY KEY,
    user_id         BLOB    NOT NULL,
    token_id        BLOB    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    last_seen_at_ms INTEGER NOT NULL,
    expires_at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_user ON sessions (user_id, created_at_ms);
CREATE INDEX sessions_by_end ON sessions (expires_at_ms);
