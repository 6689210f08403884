-- Versions of documents, what is known of their files, claims of those who work on them. SQLite cannot
-- drop a UNIQUE from a table, so the tables are made anew: the same bytes may now stand at two paths.
CREATE TABLE documents_new (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    source TEXT NOT NULL,
    path TEXT,
    title TEXT NOT NULL,
    collection TEXT,
    tags TEXT NOT NULL CHECK (json_valid(tags)),
    language TEXT CHECK (language IN ('en', 'pt')),
    version INTEGER NOT NULL CHECK (version >= 1),
    bytes_sha256 TEXT NOT NULL CHECK (length(bytes_sha256) = 64),
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    format TEXT,
    encoding TEXT,
    media TEXT NOT NULL CHECK (media IN ('markdown', 'text')),
    chars INTEGER NOT NULL CHECK (chars >= 0),
    chunks INTEGER NOT NULL CHECK (chunks >= 0),
    -- How many of the chunks have vectors of the model that was last used.
    vectors INTEGER NOT NULL CHECK (vectors BETWEEN 0 AND chunks),
    stage TEXT NOT NULL CHECK (stage IN ('received', 'text', 'chunks', 'vectors', 'ready', 'failed')),
    reason TEXT,
    -- Why it waits for another try.
    waiting TEXT,
    -- A time without a worker says that nobody may have the document before.
    claimed_by BLOB CHECK (length(claimed_by) = 16),
    claimed_until_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    created_by BLOB NOT NULL CHECK (length(created_by) = 16),
    CHECK ((stage = 'failed') = (reason IS NOT NULL)),
    CHECK (claimed_by IS NULL OR claimed_until_ms IS NOT NULL),
    CHECK (path IS NOT NULL OR version = 1)
) STRICT;

-- Until now texts were stored with the document and before any work on it.
INSERT INTO documents_new (id, source, title, collection, tags, version, bytes_sha256, bytes, media,
    chars, chunks, vectors, stage, reason, created_at_ms, created_by)
SELECT id, source, title, collection, tags, 1, bytes_sha256,
    coalesce((SELECT length(CAST(text AS BLOB)) FROM document_texts WHERE document_id = id), 0), media,
    chars, chunks, 0, iif(stage = 'received', 'text', stage), reason, created_at_ms, created_by
FROM documents;

CREATE TABLE document_texts_new (
    document_id BLOB NOT NULL PRIMARY KEY REFERENCES documents_new (id) ON DELETE CASCADE,
    text TEXT NOT NULL
) STRICT;

INSERT INTO document_texts_new (document_id, text)
SELECT document_id, text FROM document_texts
WHERE document_id IN (SELECT id FROM documents_new WHERE stage <> 'failed');

UPDATE documents_new SET chars = 0, chunks = 0 WHERE stage = 'failed';

CREATE TABLE chunks_new (
    document_id BLOB NOT NULL REFERENCES documents_new (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    heading_path TEXT NOT NULL CHECK (json_valid(heading_path)),
    text TEXT NOT NULL,
    start_char INTEGER NOT NULL CHECK (start_char >= 0),
    end_char INTEGER NOT NULL CHECK (end_char >= start_char),
    start_line INTEGER NOT NULL CHECK (start_line >= 1),
    end_line INTEGER NOT NULL CHECK (end_line >= start_line),
    -- What goes before the text for search and models: headings, the head of a table.
    context TEXT NOT NULL,
    -- The section around the chunk.
    section_start_char INTEGER NOT NULL CHECK (section_start_char <= start_char),
    section_end_char INTEGER NOT NULL CHECK (section_end_char >= end_char),
    section_start_line INTEGER NOT NULL CHECK (section_start_line <= start_line),
    section_end_line INTEGER NOT NULL CHECK (section_end_line >= end_line),
    PRIMARY KEY (document_id, ordinal)
) STRICT, WITHOUT ROWID;

INSERT INTO chunks_new
SELECT document_id, ordinal, heading_path, text, start_char, end_char, start_line, end_line, '',
    start_char, end_char, start_line, end_line
FROM chunks
WHERE document_id IN (SELECT id FROM documents_new WHERE stage <> 'failed');

DROP TABLE chunks;
DROP TABLE document_texts;
DROP TABLE documents;
ALTER TABLE documents_new RENAME TO documents;
ALTER TABLE document_texts_new RENAME TO document_texts;
ALTER TABLE chunks_new RENAME TO chunks;

CREATE INDEX documents_by_stage ON documents (stage, id);
-- Versions of one path have numbers of their own; without a path the same bytes are one document.
CREATE UNIQUE INDEX documents_by_path ON documents (ifnull(collection, ''), path, version)
WHERE path IS NOT NULL;
CREATE UNIQUE INDEX documents_by_bytes ON documents (ifnull(collection, ''), bytes_sha256)
WHERE path IS NULL;
