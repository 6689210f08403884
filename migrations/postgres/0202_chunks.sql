-- The parts of a document that search finds. Characters are code points of the stored text.
CREATE TABLE chunks (
    document_id        uuid   NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    ordinal            bigint NOT NULL CHECK (ordinal BETWEEN 0 AND 4294967295),
    heading_path       json   NOT NULL,
    text               text   NOT NULL,
    start_char         bigint NOT NULL CHECK (start_char >= 0),
    end_char           bigint NOT NULL CHECK (end_char >= start_char),
    start_line         bigint NOT NULL CHECK (start_line >= 1),
    end_line           bigint NOT NULL CHECK (end_line >= start_line),
    -- What goes before the text for search and models: headings, the head of a table.
    context            text   NOT NULL,
    -- The section around the chunk.
    section_start_char bigint NOT NULL CHECK (section_start_char <= start_char),
    section_end_char   bigint NOT NULL CHECK (section_end_char >= end_char),
    section_start_line bigint NOT NULL CHECK (section_start_line <= start_line),
    section_end_line   bigint NOT NULL CHECK (section_end_line >= end_line),
    PRIMARY KEY (document_id, ordinal)
);
