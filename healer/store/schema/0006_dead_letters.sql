-- Dead letters: what became of an event in quarantine; and where a process that ended unasked stood in the journal.

ALTER TABLE quarantine ADD COLUMN tries INTEGER NOT NULL DEFAULT 1;
ALTER TABLE quarantine ADD COLUMN state TEXT NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'released', 'dropped'));
ALTER TABLE quarantine ADD COLUMN ended_us INTEGER;              -- when a person released or dropped it
ALTER TABLE quarantine ADD COLUMN released INTEGER;              -- the journal row that tries it again
CREATE INDEX quarantine_held ON quarantine (seq) WHERE state = 'held';

CREATE TABLE stumble (                       -- the process that decides, and those before it that ended at the same place
    part INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,                    -- behind which row it began
    deaths INTEGER NOT NULL,                 -- how many before it ended unasked there, with rows waiting
    trying INTEGER NOT NULL,                 -- the row that it decides alone; 0: none
    stopped INTEGER NOT NULL                 -- whether it ended by itself
);
