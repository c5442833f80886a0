-- What the gates look at beside a run's own rows: budgets, breakers, storms, silences, inhibition, pauses.

ALTER TABLE run ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';    -- JSON: those of its alert, and its source
ALTER TABLE alert ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';
ALTER TABLE opening ADD COLUMN at_us INTEGER NOT NULL DEFAULT 0;

CREATE TABLE spent (                         -- what runs took of budgets: rates (no target) and blast radius
    budget TEXT NOT NULL,
    run TEXT NOT NULL,
    target TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    started INTEGER NOT NULL DEFAULT 0,      -- an attempt began, at that time: it stays spent
    PRIMARY KEY (budget, run, target, at_us)
) WITHOUT ROWID;
CREATE INDEX spent_at ON spent (budget, started, at_us);
CREATE INDEX spent_run ON spent (run);
CREATE INDEX spent_old ON spent (at_us);
CREATE TRIGGER run_gives_back AFTER UPDATE OF state ON run
    WHEN new.state <> old.state AND new.state NOT IN ('queued', 'running')
    BEGIN DELETE FROM spent WHERE run = new.id AND started = 0; END;

CREATE TABLE place (                         -- attempts that hold a place of a policy's concurrency
    budget TEXT NOT NULL,
    token TEXT NOT NULL,
    PRIMARY KEY (budget, token)
) WITHOUT ROWID;
CREATE TRIGGER attempt_gives_place AFTER UPDATE OF state ON attempt WHEN old.state = 'running' AND new.state <> 'running'
    BEGIN DELETE FROM place WHERE token = new.token; END;

CREATE TABLE breaker (                       -- an action on a controller that failed
    action TEXT NOT NULL,
    controller TEXT NOT NULL,
    failures TEXT NOT NULL,                  -- JSON: times, oldest first
    good INTEGER NOT NULL,
    PRIMARY KEY (action, controller)
) WITHOUT ROWID;

CREATE TABLE storm (                         -- one row: the last storm
    one INTEGER PRIMARY KEY CHECK (one = 1),
    since_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    peak INTEGER NOT NULL
);
CREATE TABLE matched (                       -- matches that asked for an effect, by second
    second INTEGER PRIMARY KEY,
    n INTEGER NOT NULL
);

CREATE TABLE silence (
    id TEXT PRIMARY KEY,
    matchers TEXT NOT NULL,                  -- JSON: texts
    from_us INTEGER NOT NULL,                -- of the wall clock, as people mean it
    until_us INTEGER NOT NULL,
    who TEXT NOT NULL,
    comment TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    ended_us INTEGER,                        -- before its time, by a person
    ended_by TEXT
) WITHOUT ROWID;
CREATE INDEX silence_until ON silence (until_us) WHERE ended_us IS NULL;

CREATE TABLE inhibitor (                     -- firing alerts that explain others, by rule and by what both have to share
    rule TEXT NOT NULL,
    shared TEXT NOT NULL,
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (rule, shared, source, key)
) WITHOUT ROWID;
CREATE INDEX inhibitor_alert ON inhibitor (source, key);
CREATE TRIGGER alert_explains_no_more AFTER UPDATE OF status ON alert WHEN new.status <> 'firing'
    BEGIN
        UPDATE run SET look_at_us = coalesce(new.closed_us, 0) WHERE state = 'deferred' AND reason = 'inhibited'
            AND EXISTS (SELECT 1 FROM inhibitor WHERE source = new.source AND key = new.key);
        DELETE FROM inhibitor WHERE source = new.source AND key = new.key;
    END;

CREATE TABLE pause (                         -- what people have stopped
    scope TEXT PRIMARY KEY,                  -- all | activation:… | ruleset:… | rule:… | controller:…
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    since_us INTEGER NOT NULL,
    until_us INTEGER,                        -- it ends by itself only if it was asked to
    digest TEXT                              -- it ends when what it covers means something else than this
) WITHOUT ROWID;

CREATE TABLE ramp (                          -- what comes back slowly: 1, 2, 4 …
    scope TEXT PRIMARY KEY,                  -- as of `pause`
    what TEXT NOT NULL,
    since_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX run_by_action ON run (action, controller) WHERE state IN ('queued', 'running', 'verifying');
