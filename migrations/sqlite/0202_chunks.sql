-- The parts of a document that search finds. Characters are code points of the stored text.
CREATE TABLE chunks (
    document_id BLOB NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    heading_path TEXT NOT NULL CHECK (json_valid(heading_path)),
    text TEXT NOT NULL,
    start_char INTEGER NOT NULL CHECK (start_char >= 0),
    end_char INTEGER NOT NULL CHECK (end_char >= start_char),
    start_line INTEGER NOT NULL CHECK (start_line >= 1),
    end_line INTEGER NOT NULL CHECK (end_line >= start_line),
    PRIMARY KEY (document_id, ordinal)
) STRICT, WITHOUT ROWID;
