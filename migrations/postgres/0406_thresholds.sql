-- How long jobs may run and how late they may start.
CREATE TABLE thresholds (
    id   uuid NOT NULL PRIMARY KEY,
    body json NOT NULL
);
