-- The knowledge base: a document's data, and its file and text apart so that lists do not read them.
CREATE TABLE documents (
    id               uuid    NOT NULL PRIMARY KEY,
    source           text    NOT NULL,
    path             text    COLLATE "C",
    title            text    NOT NULL,
    collection       text    COLLATE "C",
    tags             text[]  NOT NULL,
    language         text    CHECK (language IN ('en', 'pt')),
    version          bigint  NOT NULL CHECK (version BETWEEN 1 AND 4294967295),
    bytes_sha256     text    COLLATE "C" NOT NULL CHECK (length(bytes_sha256) = 64),
    bytes            bigint  NOT NULL CHECK (bytes >= 0),
    format           text,
    encoding         text,
    media            text    NOT NULL CHECK (media IN ('markdown', 'text')),
    chars            bigint  NOT NULL CHECK (chars >= 0),
    chunks           bigint  NOT NULL CHECK (chunks >= 0),
    -- How many of the chunks have vectors of the model that was last used.
    vectors          bigint  NOT NULL CHECK (vectors BETWEEN 0 AND chunks),
    stage            text    NOT NULL
        CHECK (stage IN ('received', 'text', 'chunks', 'vectors', 'ready', 'failed')),
    reason           text,
    -- Why it waits for another try.
    waiting          text,
    -- A time without a worker says that nobody may have the document before.
    claimed_by       uuid,
    claimed_until_ms bigint,
    created_at_ms    bigint  NOT NULL,
    created_by       uuid    NOT NULL,
    CHECK ((stage = 'failed') = (reason IS NOT NULL)),
    CHECK (claimed_by IS NULL OR claimed_until_ms IS NOT NULL),
    CHECK (path IS NOT NULL OR version = 1)
);

CREATE INDEX documents_by_stage ON documents (stage, id);
CREATE INDEX documents_by_collection ON documents (collection, id);
-- Versions of one path have numbers of their own; without a path the same bytes are one document.
CREATE UNIQUE INDEX documents_by_path ON documents (coalesce(collection, ''), path, version)
    WHERE path IS NOT NULL;
CREATE UNIQUE INDEX documents_by_bytes ON documents (coalesce(collection, ''), bytes_sha256)
    WHERE path IS NULL;

-- Uploaded files until their text is read, so that a crash before that loses nothing.
CREATE TABLE document_files (
    document_id uuid  NOT NULL PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
    file        bytea NOT NULL
);
-- Most kinds of files are compressed already.
ALTER TABLE document_files ALTER COLUMN file SET STORAGE EXTERNAL;

CREATE TABLE document_texts (
    document_id uuid NOT NULL PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
    text        text NOT NULL
);
