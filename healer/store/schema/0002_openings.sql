-- Openings of alerts, so that a replay shows rules the cycle that held then; what trimming looks for; chains.

CREATE TABLE opening (                       -- each time that an alert began to fire
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,                    -- the journal row that opened it
    cycle INTEGER NOT NULL,
    PRIMARY KEY (source, key, seq)
) WITHOUT ROWID;
CREATE INDEX opening_seq ON opening (seq);
CREATE INDEX alert_closed ON alert (closed_us) WHERE closed_us IS NOT NULL;
CREATE INDEX journal_revision ON journal (kind, seq) WHERE kind = 'revision';

-- Chains: a run that waits for the one before it in its rule's list of actions.
ALTER TABLE run ADD COLUMN after TEXT NOT NULL DEFAULT '';
CREATE INDEX run_after ON run (after) WHERE after <> '';
CREATE TRIGGER run_next_step AFTER UPDATE OF state ON run
    WHEN new.state <> old.state AND new.state NOT IN ('planned', 'deferred', 'awaiting_approval', 'queued', 'running', 'verifying', 'unknown')
    BEGIN UPDATE run SET look_at_us = new.changed_us WHERE after = new.id AND after <> '' AND state = 'deferred' AND reason = 'chain'; END;

INSERT INTO opening (source, key, seq, cycle) SELECT source, key, first_seq, cycle FROM alert;
