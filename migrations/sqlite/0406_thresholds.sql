-- How long jobs may run and how late they may start.
CREATE TABLE thresholds (
    id   BLOB NOT NULL PRIMARY KEY,
    body TEXT NOT NULL CHECK (json_valid(body))
) STRICT, WITHOUT ROWID;
