-- A move from another database into this one: one row from its beginning on. Until it is finished nobody
-- else may use the database.
CREATE TABLE transfer (
    only_row       integer NOT NULL PRIMARY KEY CHECK (only_row = 1),
    source         text    NOT NULL,
    began_at_ms    bigint  NOT NULL,
    finished_at_ms bigint
);
