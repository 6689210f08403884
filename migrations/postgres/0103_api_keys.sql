-- API keys, known by the digest of their text. A revoked key has no row.
CREATE TABLE api_keys (
    id              uuid   NOT NULL PRIMARY KEY,
    user_id         uuid   NOT NULL,
    label           text   NOT NULL,
    digest          bytea  NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    scopes          text[] NOT NULL,
    user_version    bigint NOT NULL CHECK (user_version BETWEEN 0 AND 4294967295),
    created_at_ms   bigint NOT NULL,
    expires_at_ms   bigint NOT NULL,
    last_used_at_ms bigint
) WITH (fillfactor = 80);

CREATE INDEX api_keys_by_user ON api_keys (user_id, created_at_ms);
