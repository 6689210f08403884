-- What the owner of a conversation said of an answer; it goes with the message.
CREATE TABLE chat_feedback (
    message_id uuid   NOT NULL PRIMARY KEY REFERENCES chat_messages (id) ON DELETE CASCADE,
    verdict    text   NOT NULL CHECK (verdict IN ('up', 'down')),
    reason     text,
    at_ms      bigint NOT NULL
);
