-- Conversations. Each belongs to the user of its first turn; every read names that owner.
CREATE TABLE chat_sessions (
    id            BLOB    NOT NULL PRIMARY KEY,
    owner_id      BLOB    NOT NULL,
    title         TEXT    NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    context       TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX chat_sessions_by_owner ON chat_sessions (owner_id, updated_at_ms, id);

-- `place` counts from 1 in each session; `answer` is the whole answer as JSON, for the assistant's.
CREATE TABLE chat_messages (
    session_id BLOB    NOT NULL REFERENCES chat_sessions (id) ON DELETE CASCADE,
    place      INTEGER NOT NULL CHECK (place > 0),
    id         BLOB    NOT NULL UNIQUE,
    role       TEXT    NOT NULL CHECK (role IN ('user', 'assistant')),
    text       TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    answer     TEXT,
    PRIMARY KEY (session_id, place)
) STRICT, WITHOUT ROWID;
