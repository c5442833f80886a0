-- Requests for a person's word, and what people said.

CREATE TABLE approval (
    id TEXT PRIMARY KEY,
    run TEXT NOT NULL REFERENCES run (id),
    state TEXT NOT NULL,                     -- open | approved | rejected | expired | void | withdrawn | cancelled
    reason TEXT NOT NULL,                    -- the code of the gate that asks
    digest TEXT NOT NULL,                    -- of exactly what was asked for
    asked TEXT NOT NULL,                     -- JSON: the thresholds of that moment
    requester TEXT NOT NULL,
    asked_us INTEGER NOT NULL,
    expires_us INTEGER,
    decided_us INTEGER
) WITHOUT ROWID;
CREATE INDEX approval_run ON approval (run, asked_us);
CREATE INDEX approval_open ON approval (asked_us) WHERE state = 'open';

CREATE TABLE review (                        -- one a person and request; the first stands
    approval TEXT NOT NULL REFERENCES approval (id),
    person TEXT NOT NULL,
    role TEXT NOT NULL,
    approves INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (approval, person)
) WITHOUT ROWID;
CREATE TRIGGER review_no_update BEFORE UPDATE ON review BEGIN SELECT RAISE(ABORT, 'reviews are appended'); END;

CREATE TRIGGER run_asks_no_more AFTER UPDATE OF state ON run WHEN old.state = 'awaiting_approval' AND new.state <> old.state
    BEGIN UPDATE approval SET state = CASE new.state WHEN 'queued' THEN 'approved' ELSE new.state END, decided_us = new.changed_us
          WHERE run = new.id AND state = 'open'; END;
