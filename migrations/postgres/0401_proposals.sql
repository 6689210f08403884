-- Prepared actions that wait for their confirmation. What is used keeps its row until it is purged, so
-- that it stays used over a restart.
CREATE TABLE proposals (
    id            uuid   NOT NULL PRIMARY KEY,
    body          json   NOT NULL,
    expires_at_ms bigint NOT NULL,
    used_at_ms    bigint
);

CREATE INDEX proposals_by_end ON proposals (expires_at_ms);
