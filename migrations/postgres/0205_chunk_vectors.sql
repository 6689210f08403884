-- Vectors of chunks, by the model that made them; at most one for each chunk.
CREATE TABLE embedding_models (
    id         integer NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name       text    COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    dimensions integer NOT NULL CHECK (dimensions BETWEEN 1 AND 4000),
    UNIQUE (name, dimensions)
);

-- `vector` is what the model gave. `embedding` is searched: half the bytes, and indexed up to 4000
-- dimensions. It has no dimensions of its own, since one table holds every model's.
CREATE TABLE chunk_vectors (
    document_id uuid    NOT NULL,
    ordinal     bigint  NOT NULL,
    model_id    integer NOT NULL REFERENCES embedding_models (id),
    vector      real[]  NOT NULL,
    embedding   halfvec NOT NULL GENERATED ALWAYS AS (vector::halfvec) STORED,
    PRIMARY KEY (document_id, ordinal),
    FOREIGN KEY (document_id, ordinal) REFERENCES chunks (document_id, ordinal) ON DELETE CASCADE
);
-- Random bits do not compress. The exact vector is kept out of the row, since search does not read it.
ALTER TABLE chunk_vectors ALTER COLUMN vector SET STORAGE EXTERNAL;
ALTER TABLE chunk_vectors ALTER COLUMN embedding SET STORAGE PLAIN;

CREATE INDEX chunk_vectors_by_model ON chunk_vectors (model_id);
