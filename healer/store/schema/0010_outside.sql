-- A sign of life that a commit stands behind; places before people; the queue, so that nobody in it starves.

CREATE TABLE pulse (                         -- one row, written for each sign of life: only what can commit is alive
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at_us INTEGER NOT NULL
);

DROP INDEX attempt_free;                     -- its order was not whole
CREATE INDEX attempt_ready ON attempt (severity, not_before_us, turn, run) WHERE lane = '' AND state = 'queued';
CREATE INDEX attempt_turns ON attempt (run) WHERE lane = '' AND state = 'queued';
CREATE INDEX run_place_for_person ON run (state, reason, deferred_us, id) WHERE state = 'deferred' AND reason = 'approvals_full';

-- A run that waited for a person does so no more: the first that waits for its place is looked at. So is the next one where that one
-- did not take it.
CREATE TRIGGER run_frees_place AFTER UPDATE OF state, reason ON run
    WHEN (old.state = 'awaiting_approval' AND new.state <> 'awaiting_approval')
      OR (old.state = 'deferred' AND old.reason = 'approvals_full' AND new.state <> 'awaiting_approval'
          AND (new.state <> 'deferred' OR new.reason <> 'approvals_full'))
    BEGIN
        UPDATE run SET look_at_us = new.changed_us WHERE id = (
            SELECT id FROM run WHERE state = 'deferred' AND reason = 'approvals_full' ORDER BY deferred_us, id LIMIT 1);
    END;
