-- Accounts. Names are kept in lower case, so that the unique index sees what people see.
CREATE TABLE users (
    id              BLOB    NOT NULL PRIMARY KEY,
    username        TEXT    NOT NULL UNIQUE,
    role            TEXT    NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'service')),
    password_hash   TEXT    NOT NULL,
    session_version INTEGER NOT NULL CHECK (session_version >= 0),
    created_at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
