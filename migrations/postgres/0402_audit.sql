-- The audit: rows are added at the end and never change. `body` is the text that `hash` seals; `action`
-- and `action_id` repeat parts of it for look-ups alone.
CREATE TABLE audit (
    seq       bigint NOT NULL PRIMARY KEY,
    id        uuid   NOT NULL UNIQUE,
    action    text   COLLATE "C" NOT NULL,
    action_id uuid,
    body      text   NOT NULL,
    prev_hash text   NOT NULL,
    hash      text   NOT NULL
);

-- One outcome an action, whoever writes it.
CREATE UNIQUE INDEX audit_outcomes ON audit (action_id) WHERE action = 'action.outcome';
CREATE INDEX audit_intents ON audit (action_id) WHERE action = 'action.intent';
