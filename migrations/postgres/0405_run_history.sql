-- Runs that were seen to have ended, beyond the plan that they belong to. A job is known by its names,
-- since its id changes with the plan.
CREATE TABLE run_history (
    engine        text    COLLATE "C" NOT NULL,
    run           text    COLLATE "C" NOT NULL,
    workstation   text    COLLATE "C" NOT NULL,
    folder        text    COLLATE "C" NOT NULL,
    stream        text    COLLATE "C" NOT NULL,
    job           text    COLLATE "C" NOT NULL,
    status        text    NOT NULL,
    good          boolean NOT NULL,
    return_code   integer,
    started_at_ms bigint,
    ended_at_ms   bigint  NOT NULL,
    seconds       bigint,
    PRIMARY KEY (engine, run)
);

CREATE INDEX run_history_by_job
    ON run_history (engine, job, stream, workstation, folder, ended_at_ms DESC, run);
CREATE INDEX run_history_by_end ON run_history (ended_at_ms);

-- Since when an engine is observed: what ended before may be missing.
CREATE TABLE run_history_since (
    engine text   COLLATE "C" NOT NULL PRIMARY KEY,
    at_ms  bigint NOT NULL
);
