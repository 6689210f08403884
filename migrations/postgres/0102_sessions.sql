-- Login sessions. A session that has no row is over, so ending one is deleting its row.
-- No foreign key: ending the sessions of a deleted user must not depend on the order of the two.
CREATE TABLE sessions (
    id              uuid   NOT NULL PRIMARY KEY,
    user_id         uuid   NOT NULL,
    token_id        uuid   NOT NULL,
    created_at_ms   bigint NOT NULL,
    last_seen_at_ms bigint NOT NULL,
    expires_at_ms   bigint NOT NULL,
    address         text,
    agent           text
-- The use of a session changes a column that no index has, so its new row fits beside the old one.
) WITH (fillfactor = 80);

CREATE INDEX sessions_by_user ON sessions (user_id, created_at_ms);
CREATE INDEX sessions_by_end ON sessions (expires_at_ms);
