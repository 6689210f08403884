-- Conversations. Each belongs to the user of its first turn; every read names that owner.
CREATE TABLE chat_sessions (
    id            uuid   NOT NULL PRIMARY KEY,
    owner_id      uuid   NOT NULL,
    title         text   NOT NULL,
    updated_at_ms bigint NOT NULL,
    context       json   NOT NULL
);

CREATE INDEX chat_sessions_by_owner ON chat_sessions (owner_id, updated_at_ms, id);

-- `place` counts from 1 in each session; `answer` is the whole answer, for the assistant's. It is json and
-- not jsonb, since it is only read as a whole and a quoted log line may hold an escape that jsonb refuses.
CREATE TABLE chat_messages (
    session_id uuid   NOT NULL REFERENCES chat_sessions (id) ON DELETE CASCADE,
    place      bigint NOT NULL CHECK (place > 0),
    id         uuid   NOT NULL UNIQUE,
    role       text   NOT NULL CHECK (role IN ('user', 'assistant')),
    text       text   NOT NULL,
    at_ms      bigint NOT NULL,
    answer     json,
    PRIMARY KEY (session_id, place)
);
