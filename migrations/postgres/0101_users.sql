-- Accounts. Names are kept in lower case, so that the unique index sees what people see.
CREATE TABLE users (
    id              uuid   NOT NULL PRIMARY KEY,
    username        text   COLLATE "C" NOT NULL UNIQUE,
    role            text   NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'service')),
    password_hash   text   NOT NULL,
    session_version bigint NOT NULL CHECK (session_version BETWEEN 0 AND 4294967295),
    created_at_ms   bigint NOT NULL
);
