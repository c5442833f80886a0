-- Openings of alerts, so that a replay shows rules the cycle that held then; and what trimming looks for.

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

INSERT INTO opening (source, key, seq, cycle) SELECT source, key, first_seq, cycle FROM alert;
