-- Vectors of chunks, as little-endian 32-bit floats, by the model that made them.
CREATE TABLE embedding_models (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    dimensions INTEGER NOT NULL CHECK (dimensions BETWEEN 1 AND 4000),
    UNIQUE (name, dimensions)
) STRICT;

CREATE TABLE chunk_vectors (
    document_id BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    model_id INTEGER NOT NULL REFERENCES embedding_models (id),
    vector BLOB NOT NULL,
    PRIMARY KEY (document_id, ordinal),
    FOREIGN KEY (document_id, ordinal) REFERENCES chunks (document_id, ordinal) ON DELETE CASCADE
) STRICT;

CREATE INDEX chunk_vectors_by_model ON chunk_vectors (model_id);
