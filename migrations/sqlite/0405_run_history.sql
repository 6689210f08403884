-- Runs that were seen to have ended, beyond the plan that they belong to. A job is known by its names,
-- since its id changes with the plan.
CREATE TABLE run_history (
    engine        TEXT    NOT NULL,
    run           TEXT    NOT NULL,
    workstation   TEXT    NOT NULL,
    folder        TEXT    NOT NULL,
    stream        TEXT    NOT NULL,
    job           TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    good          INTEGER NOT NULL CHECK (good IN (0, 1)),
    return_code   INTEGER,
    started_at_ms INTEGER,
    ended_at_ms   INTEGER NOT NULL,
    seconds       INTEGER,
    PRIMARY KEY (engine, run)
) STRICT, WITHOUT ROWID;

CREATE INDEX run_history_by_job
    ON run_history (engine, job, stream, workstation, folder, ended_at_ms DESC, run);
CREATE INDEX run_history_by_end ON run_history (ended_at_ms);

-- Since when an engine is observed: what ended before may be missing.
CREATE TABLE run_history_since (
    engine TEXT    NOT NULL PRIMARY KEY,
    at_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
