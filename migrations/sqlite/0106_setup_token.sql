-- The token that makes the first administrator: one row, the digest alone.
CREATE TABLE setup_token (
    only_row      INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    digest        BLOB    NOT NULL CHECK (length(digest) = 32),
    expires_at_ms INTEGER NOT NULL
) STRICT;
