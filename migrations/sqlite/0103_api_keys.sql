-- API keys, known by the digest of their text. A revoked key has no row.
CREATE TABLE api_keys (
    id            BLOB    NOT NULL PRIMARY KEY,
    user_id       BLOB    NOT NULL,
    label         TEXT    NOT NULL,
    digest        BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
    scopes        TEXT    NOT NULL,
    user_version  INTEGER NOT NULL CHECK (user_version >= 0),
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_by_user ON api_keys (user_id, created_at_ms);
