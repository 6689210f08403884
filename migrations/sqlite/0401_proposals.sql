-- Prepared actions that wait for their confirmation. What is used keeps its row until it is purged, so
-- that it stays used over a restart.
CREATE TABLE proposals (
    id            BLOB    NOT NULL PRIMARY KEY,
    body          TEXT    NOT NULL CHECK (json_valid(body)),
    expires_at_ms INTEGER NOT NULL,
    used_at_ms    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX proposals_by_end ON proposals (expires_at_ms);
