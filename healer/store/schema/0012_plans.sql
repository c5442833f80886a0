-- What runs would do that are only simulated, or wait for a person: their controllers are asked for it after the decision.

CREATE TABLE plan (
    run TEXT PRIMARY KEY REFERENCES run (id),
    state TEXT NOT NULL CHECK (state IN ('wanted', 'made', 'failed', 'skipped')),
    asked_us INTEGER NOT NULL,
    made_us INTEGER,
    seconds REAL,                            -- how long its controller took
    detail TEXT NOT NULL DEFAULT '',         -- why there is none
    hash TEXT                                -- what it says, in the blob; NULL: nothing, or trimmed
) WITHOUT ROWID;
CREATE INDEX plan_wanted ON plan (asked_us, run) WHERE state = 'wanted';
CREATE INDEX plan_content ON plan (hash) WHERE hash IS NOT NULL;

-- A run that a gate would have held is planned by nobody: it would not have run. Of a new run `asking` says it: a trigger on INSERT would make
-- each decision half as slow again, since SQLite keeps a journal of every such statement.
CREATE TRIGGER run_wants_plan_again AFTER UPDATE OF state ON run
    WHEN new.state <> old.state
     AND (new.state = 'awaiting_approval' OR (new.state = 'simulated' AND coalesce(json_extract(new.explanation, '$.would'), '') = ''))
    BEGIN
        DELETE FROM plan WHERE run = new.id;
        INSERT INTO plan (run, state, asked_us) VALUES (new.id, 'wanted', new.changed_us);
    END;
