-- The last change of each document by a number that only rises, for whoever keeps an index.
CREATE TABLE document_changes (
    document_id uuid   NOT NULL PRIMARY KEY,
    seq         bigint NOT NULL UNIQUE CHECK (seq >= 1),
    kind        text   NOT NULL CHECK (kind IN ('ready', 'gone'))
);

-- The number of the last change; one row. Who draws a number holds this row until the commit, so that
-- numbers become visible in their order; a sequence would not do that.
CREATE TABLE document_feed (
    only_row integer NOT NULL PRIMARY KEY CHECK (only_row = 1),
    seq      bigint  NOT NULL CHECK (seq >= 0)
);

INSERT INTO document_feed (only_row, seq) VALUES (1, 0);

-- Tells every replica that there is something new in the feed.
CREATE FUNCTION notify_documents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('resync_documents', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER document_feed_changed AFTER UPDATE ON document_feed
    FOR EACH ROW EXECUTE FUNCTION notify_documents();
