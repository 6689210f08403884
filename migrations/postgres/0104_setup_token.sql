-- The token that makes the first administrator: one row, the digest alone.
CREATE TABLE setup_token (
    only_row      integer NOT NULL PRIMARY KEY CHECK (only_row = 1),
    digest        bytea   NOT NULL CHECK (octet_length(digest) = 32),
    expires_at_ms bigint  NOT NULL
);
