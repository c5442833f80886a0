-- What follows on an effect: its verification, the next wave of targets, the next rung of an escalation.

ALTER TABLE attempt ADD COLUMN purpose TEXT NOT NULL DEFAULT 'effect';   -- effect | verify
ALTER TABLE run ADD COLUMN rung INTEGER NOT NULL DEFAULT 0;              -- 1, 2 …: it is tried where the run `after` did not help
ALTER TABLE run ADD COLUMN not_before_us INTEGER NOT NULL DEFAULT 0;

DROP TRIGGER run_next_step;
CREATE TRIGGER run_next_step AFTER UPDATE OF state ON run
    WHEN new.state <> old.state AND new.state NOT IN ('planned', 'deferred', 'awaiting_approval', 'queued', 'running', 'verifying', 'unknown')
    BEGIN UPDATE run SET look_at_us = new.changed_us WHERE after = new.id AND after <> '' AND state = 'deferred' AND reason IN ('chain', 'escalation'); END;
