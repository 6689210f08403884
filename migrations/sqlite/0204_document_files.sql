-- Uploaded files until their text is read, so that a crash before that loses nothing.
CREATE TABLE document_files (
    document_id BLOB NOT NULL PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
    file BLOB NOT NULL
) STRICT;
