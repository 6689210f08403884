-- The number of a model, which gets one, and an index of its own, when it is first asked for. An index
-- needs a fixed number of dimensions, so there is one for each model, over its rows alone. It is made
-- while the model has no vectors, which takes no longer than a look at the table.
CREATE FUNCTION embedding_model(model text, size integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    number integer;
BEGIN
    -- Two replicas that meet a new model make it once.
    PERFORM pg_advisory_xact_lock(1919251321, 5);
    SELECT id INTO number FROM embedding_models WHERE name = model AND dimensions = size;
    IF number IS NULL THEN
        INSERT INTO embedding_models (name, dimensions) VALUES (model, size) RETURNING id INTO number;
        EXECUTE format(
            'CREATE INDEX chunk_vectors_near_%s ON chunk_vectors
             USING hnsw ((embedding::halfvec(%s)) halfvec_cosine_ops) WITH (m = 16, ef_construction = 96)
             WHERE model_id = %s',
            number, size, number);
    END IF;
    RETURN number;
END
$$;
