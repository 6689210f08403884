-- Engines that an administrator added. The secret in `body` is sealed; the key is not in this database.
CREATE TABLE engines (
    name TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL CHECK (json_valid(body))
) STRICT, WITHOUT ROWID;
