-- The knowledge base: a document's data, and its text apart so that lists do not read it.
CREATE TABLE documents (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    source TEXT NOT NULL,
    title TEXT NOT NULL,
    collection TEXT,
    tags TEXT NOT NULL CHECK (json_valid(tags)),
    -- The same bytes are one document.
    bytes_sha256 TEXT NOT NULL UNIQUE CHECK (length(bytes_sha256) = 64),
    media TEXT NOT NULL CHECK (media IN ('markdown', 'text')),
    chars INTEGER NOT NULL CHECK (chars >= 0),
    chunks INTEGER NOT NULL CHECK (chunks >= 0),
    stage TEXT NOT NULL CHECK (stage IN ('received', 'text', 'chunks', 'vectors', 'ready', 'failed')),
    reason TEXT,
    created_at_ms INTEGER NOT NULL,
    created_by BLOB NOT NULL CHECK (length(created_by) = 16),
    CHECK ((stage = 'failed') = (reason IS NOT NULL))
) STRICT;

CREATE INDEX documents_by_stage ON documents (stage, id);

CREATE TABLE document_texts (
    document_id BLOB NOT NULL PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
    text TEXT NOT NULL
) STRICT;
