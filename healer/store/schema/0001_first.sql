-- The first schema. Times are integer microseconds of journal time (`…_us`); states and codes are words of policy/.
-- JSON texts are canonical where a hash covers them. Positions are dense: 1, 2, 3 … in each part.

CREATE TABLE instance (                      -- one row: who this data directory is, and who owns it
    one INTEGER PRIMARY KEY CHECK (one = 1),
    uid TEXT NOT NULL,                       -- origin of the audit tree, seed of event uuids
    epoch INTEGER NOT NULL,                  -- + 1 with each start; every guarded transaction compares it
    created_us INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    started_us INTEGER NOT NULL
);

CREATE TABLE revision (                      -- the rule sets that ever decided here
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,                 -- SHA-256 of the files, hex
    first_us INTEGER NOT NULL,
    git TEXT NOT NULL DEFAULT ''             -- the commit, with '+' when files differed from it
);

CREATE TABLE blob (                          -- bodies and outputs by content; larger ones are files of that name
    hash TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    data BLOB,                               -- NULL: in the file
    at_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE journal (                       -- all that can change a firing, in order
    seq INTEGER PRIMARY KEY,
    part INTEGER NOT NULL,
    kind TEXT NOT NULL,                      -- event | fact | retract | tick | revision
    source TEXT NOT NULL,
    at_us INTEGER NOT NULL,                  -- never decreasing
    depth INTEGER NOT NULL,                  -- 0: from outside; + 1 for each effect that led here
    cause INTEGER,                           -- the row whose match appended this one
    ordinal INTEGER,
    body BLOB,                               -- JSON; NULL: in the blob `body_hash`
    body_hash TEXT,
    raw_hash TEXT,                           -- the whole request that held it
    meta TEXT,                               -- JSON beside what `meta` always has
    actor TEXT NOT NULL
);
CREATE INDEX journal_time ON journal (at_us);
CREATE UNIQUE INDEX journal_cause ON journal (cause, ordinal) WHERE cause IS NOT NULL;

CREATE INDEX journal_body ON journal (body_hash) WHERE body_hash IS NOT NULL;
CREATE INDEX journal_raw ON journal (raw_hash) WHERE raw_hash IS NOT NULL;

CREATE TABLE delivery (                      -- ids that senders gave, so that a second delivery starts nothing
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    digest TEXT NOT NULL,                    -- of the bytes: the same id with others is a conflict
    seen_us INTEGER NOT NULL,
    PRIMARY KEY (source, id)
) WITHOUT ROWID;
CREATE INDEX delivery_seen ON delivery (seen_us);

CREATE TABLE position (                      -- how far each part is decided
    part INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    at_us INTEGER NOT NULL
);

CREATE TABLE snapshot (                      -- what the engine remembers, as positions and numbers
    part INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    revision INTEGER NOT NULL REFERENCES revision (n),
    oldest INTEGER NOT NULL,                 -- the oldest position that it refers to
    data TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (part, seq)
);

CREATE TABLE quarantine (                    -- an event that a ruleset cannot digest
    seq INTEGER NOT NULL,
    ruleset TEXT NOT NULL,
    error TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (seq, ruleset)
);

CREATE TABLE alert (                         -- a key of a source that is firing or resolved
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    cycle INTEGER NOT NULL,                  -- the number of its openings
    status TEXT NOT NULL CHECK (status IN ('firing', 'resolved')),
    opened_us INTEGER NOT NULL,
    seen_us INTEGER NOT NULL,
    closed_us INTEGER,
    closed_by TEXT,                          -- resolved | ttl | a person
    ttl_us INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,              -- of this cycle
    last_seq INTEGER NOT NULL,
    times INTEGER NOT NULL,                  -- words of the sender in this cycle
    name TEXT NOT NULL,
    target TEXT NOT NULL,
    severity TEXT NOT NULL,
    summary TEXT NOT NULL,
    PRIMARY KEY (source, key)
) WITHOUT ROWID;
CREATE INDEX alert_open ON alert (status, seen_us);

CREATE TABLE decision (                      -- each match ends in exactly one
    seq INTEGER NOT NULL,                    -- the journal row that completed the match
    n INTEGER NOT NULL,                      -- its number among the decisions of that row
    part INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    rule TEXT NOT NULL,                      -- activation/ruleset/rule
    action_index INTEGER NOT NULL,
    action TEXT NOT NULL,
    run TEXT,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    revision INTEGER NOT NULL REFERENCES revision (n),
    explanation TEXT,                        -- JSON; NULL: an internal action, which replay explains
    PRIMARY KEY (seq, n)
) WITHOUT ROWID;
CREATE INDEX decision_run ON decision (run) WHERE run IS NOT NULL;

CREATE TABLE run_transition (old TEXT NOT NULL, new TEXT NOT NULL, PRIMARY KEY (old, new)) WITHOUT ROWID;
CREATE TABLE attempt_transition (old TEXT NOT NULL, new TEXT NOT NULL, PRIMARY KEY (old, new)) WITHOUT ROWID;

CREATE TABLE run (                           -- one action on one target list because of one match
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,                    -- the code of the gate that holds or ended it, else ''
    detail TEXT NOT NULL,                    -- JSON: the fields of the code's sentence
    seq INTEGER NOT NULL,
    rule TEXT NOT NULL,
    action TEXT NOT NULL,
    action_index INTEGER NOT NULL,
    flavor TEXT NOT NULL,                    -- catalog | upstream
    kind TEXT NOT NULL,                      -- script | playbook | module | command
    subject TEXT NOT NULL,                   -- JSON: file, module or argv
    controller TEXT NOT NULL,
    parameters TEXT NOT NULL,                -- JSON, secrets as references
    extra TEXT NOT NULL,                     -- JSON: what only upstream's actions have
    idempotent INTEGER NOT NULL,
    dry_run INTEGER NOT NULL,
    limits TEXT NOT NULL,                    -- JSON: the gates' values that held when it was decided
    severity INTEGER NOT NULL,               -- 0 critical … 4 unknown: the order of the queue
    depth INTEGER NOT NULL,
    actor TEXT NOT NULL,
    revision INTEGER NOT NULL REFERENCES revision (n),
    event_us INTEGER NOT NULL,               -- when its event was received
    created_us INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    deferred_us INTEGER,                     -- since when a gate holds it
    look_at_us INTEGER,                      -- when to look again; NULL while deferred: an act ends it
    ended_us INTEGER,
    explanation TEXT NOT NULL                -- JSON: conditions with values, each gate's verdict
) WITHOUT ROWID;
CREATE INDEX run_state ON run (state, look_at_us);
CREATE INDEX run_created ON run (created_us);

CREATE TABLE run_alert (                     -- which alerts, in which cycle, a run is for
    run TEXT NOT NULL REFERENCES run (id),
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    cycle INTEGER NOT NULL,
    firing INTEGER NOT NULL,                 -- whether the alert fired in the event that matched
    PRIMARY KEY (source, key, run)
) WITHOUT ROWID;
CREATE INDEX run_alert_run ON run_alert (run);

CREATE TABLE run_target (                    -- the gates' verdict for each target
    run TEXT NOT NULL REFERENCES run (id),
    target TEXT NOT NULL,
    value TEXT NOT NULL,                     -- JSON: inventory name, address, groups
    action TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    ended_us INTEGER,                        -- end of the last effect on it
    PRIMARY KEY (run, target)
) WITHOUT ROWID;
CREATE INDEX run_target_cooldown ON run_target (target, action, ended_us) WHERE ended_us IS NOT NULL;

CREATE TABLE attempt (                       -- what is claimed, started, found, timed out
    run TEXT NOT NULL REFERENCES run (id),
    number INTEGER NOT NULL,
    token TEXT NOT NULL UNIQUE,              -- <run>-<number>
    state TEXT NOT NULL,
    targets TEXT NOT NULL,                   -- JSON: the wave
    controller TEXT NOT NULL,
    severity INTEGER NOT NULL,
    not_before_us INTEGER NOT NULL,
    held TEXT NOT NULL,                      -- the code that keeps a queued one waiting, else ''
    started_us INTEGER,
    deadline_us INTEGER,
    ended_us INTEGER,
    epoch INTEGER,
    outcome TEXT,                            -- JSON
    stdout_hash TEXT,
    stderr_hash TEXT,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE INDEX attempt_queue ON attempt (severity, not_before_us) WHERE state = 'queued';
CREATE INDEX attempt_running ON attempt (controller) WHERE state = 'running';
CREATE INDEX attempt_started ON attempt (started_us) WHERE started_us IS NOT NULL;
CREATE INDEX attempt_open ON attempt (state) WHERE state IN ('running', 'unknown');

CREATE INDEX attempt_stdout ON attempt (stdout_hash) WHERE stdout_hash IS NOT NULL;
CREATE INDEX attempt_stderr ON attempt (stderr_hash) WHERE stderr_hash IS NOT NULL;

CREATE TABLE lock (                          -- one effect a target at a time
    target TEXT PRIMARY KEY,
    token TEXT NOT NULL,
    run TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE api_key (
    id TEXT PRIMARY KEY,                     -- the middle part of the key, shown in logs
    hash TEXT NOT NULL,                      -- SHA-256 of the whole key, hex
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    revoked_us INTEGER
) WITHOUT ROWID;

CREATE TABLE audit (                         -- append-only; the text is the only stored form of a record
    seq INTEGER PRIMARY KEY,                 -- from 0, without gaps
    record TEXT NOT NULL,                    -- canonical JSON
    chain BLOB NOT NULL,                     -- SHA-256 (chain before, leaf hash)
    at_us INTEGER GENERATED ALWAYS AS (json_extract(record, '$.at_us')) VIRTUAL,
    kind TEXT GENERATED ALWAYS AS (json_extract(record, '$.kind')) VIRTUAL,
    actor TEXT GENERATED ALWAYS AS (json_extract(record, '$.actor')) VIRTUAL,
    run TEXT GENERATED ALWAYS AS (json_extract(record, '$.run')) VIRTUAL,
    action TEXT GENERATED ALWAYS AS (json_extract(record, '$.action')) VIRTUAL
);
CREATE INDEX audit_run ON audit (run) WHERE run IS NOT NULL;
CREATE INDEX audit_actor ON audit (actor, seq);
CREATE INDEX audit_action ON audit (action, seq) WHERE action IS NOT NULL;
CREATE INDEX audit_kind ON audit (kind, seq);

CREATE TABLE audit_head (                    -- the tree over the records, as far as it is committed
    one INTEGER PRIMARY KEY CHECK (one = 1),
    size INTEGER NOT NULL,
    root BLOB NOT NULL,                      -- RFC 6962 tree hash
    chain BLOB NOT NULL,
    frontier BLOB NOT NULL                   -- the right edge, 32 bytes a node
);

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER run_legal BEFORE UPDATE OF state ON run
    WHEN old.state <> new.state AND NOT EXISTS (SELECT 1 FROM run_transition t WHERE t.old = old.state AND t.new = new.state)
    BEGIN SELECT RAISE(ABORT, 'illegal transition of a run'); END;
CREATE TRIGGER attempt_legal BEFORE UPDATE OF state ON attempt
    WHEN old.state <> new.state AND NOT EXISTS (SELECT 1 FROM attempt_transition t WHERE t.old = old.state AND t.new = new.state)
    BEGIN SELECT RAISE(ABORT, 'illegal transition of an attempt'); END;

INSERT INTO position (part, seq, at_us) VALUES (0, 0, 0);
INSERT INTO audit_head (one, size, root, chain, frontier)
    VALUES (1, 0, x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
            x'0000000000000000000000000000000000000000000000000000000000000000', x'');
