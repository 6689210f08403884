-- The last change of each document by a number that only rises, for whoever keeps an index.
CREATE TABLE document_changes (
    document_id BLOB NOT NULL PRIMARY KEY CHECK (length(document_id) = 16),
    seq INTEGER NOT NULL UNIQUE CHECK (seq >= 1),
    kind TEXT NOT NULL CHECK (kind IN ('ready', 'gone'))
) STRICT;

-- The number of the last change; one row.
CREATE TABLE document_feed (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL CHECK (seq >= 0)
) STRICT;

INSERT INTO document_feed (id, seq) VALUES (1, 0);
