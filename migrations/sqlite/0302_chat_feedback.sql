-- What the owner of a conversation said of an answer; it goes with the message.
CREATE TABLE chat_feedback (
    message_id BLOB    NOT NULL PRIMARY KEY REFERENCES chat_messages (id) ON DELETE CASCADE,
    verdict    TEXT    NOT NULL CHECK (verdict IN ('up', 'down')),
    reason     TEXT,
    at_ms      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
