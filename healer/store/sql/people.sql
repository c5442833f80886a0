-- What people do to runs and locks.

-- name: attempts_under_way
-- Of a run: what may be at work, and who asked for its end already.
SELECT number, token, state, cancel_by FROM attempt WHERE run = ? AND state IN ('running', 'unknown') ORDER BY number;

-- name: attempt_ask_end
UPDATE attempt SET cancel_by = ?, cancel_us = ?, cancel_reason = ? WHERE token = ?;

-- name: attempts_cancel_queued
-- Attempts of a run that wait for their turn never have it.
UPDATE attempt SET state = 'cancelled', ended_us = ?, cancel_by = ?, cancel_us = ?, cancel_reason = ? WHERE run = ? AND state = 'queued';

-- name: attempt_asked_to_end
SELECT cancel_by, cancel_reason FROM attempt WHERE run = ? AND number = ? AND cancel_by IS NOT NULL;

-- name: attempt_stops
-- By the daemon's own stop: there is a time, and nobody who asked.
UPDATE attempt SET cancel_us = ? WHERE token = ? AND state = 'running' AND cancel_by IS NULL;

-- name: attempt_stopping
SELECT 1 FROM attempt WHERE run = ? AND number = ? AND cancel_by IS NULL AND cancel_us IS NOT NULL;

-- name: attempts_asked_to_end
-- Whose end a person asked for and nobody knows of, for a start to look at once more.
SELECT run FROM attempt WHERE state = 'unknown' AND cancel_by IS NOT NULL AND purpose = 'effect' ORDER BY started_us, run;

-- name: attempt_unknown
-- The attempt of a run of which nobody knows how it ended.
SELECT run, number, token, targets, deadline_us, started_us, purpose
FROM attempt WHERE run = ? AND state = 'unknown' AND purpose = 'effect' ORDER BY number DESC LIMIT 1;

-- name: attempt_outcome
SELECT outcome FROM attempt WHERE run = ? AND number = ?;

-- name: attempt_settle
-- What an unknown attempt ended as after all; without an output of now, that of then stays.
UPDATE attempt SET state = ?, ended_us = ?, outcome = ?, stdout_hash = coalesce(?, stdout_hash), stderr_hash = coalesce(?, stderr_hash)
WHERE run = ? AND number = ? AND state = 'unknown';

-- name: run_targets_cancel
-- Those that no effect came to, so no cooldown begins on them.
UPDATE run_target SET state = 'cancelled', reason = '', detail = '{}'
WHERE run = ? AND state NOT IN ('succeeded', 'failed', 'timed_out', 'cancelled', 'unknown', 'left_out');

-- name: run_fresh
-- A person's word is a fresh sign: the age of the run's event counts from it on.
UPDATE run SET event_us = ? WHERE id = ?;

-- name: run_explained
UPDATE run SET explanation = ? WHERE id = ?;

-- name: runs_forced
-- What waits though a person has it start past its gates.
SELECT id, rule, controller FROM run WHERE state IN ('queued', 'deferred') AND instr(extra, '"break_glass"') > 0;

-- name: attempts_at_once
-- A run's queued attempt is the first of all.
UPDATE attempt SET severity = 0, not_before_us = 0, held = '' WHERE run = ? AND state = 'queued' AND purpose = 'effect';

-- name: lock_named
SELECT l.target, l.token, l.run, a.number, a.state FROM lock l LEFT JOIN attempt a ON a.token = l.token WHERE l.target = ?;

-- name: locks_ending_in
-- By the last part of a name: web1 for host:web1.
SELECT target FROM lock WHERE substr(target, instr(target, ':') + 1) = ? ORDER BY target LIMIT 11;

-- name: lock_let_go
DELETE FROM lock WHERE target = ? AND token = ?;

-- name: locks_after
SELECT l.target, l.run, a.number, l.since_us, l.expires_us, r.state, a.state AS attempt_state, r.rule, r.action, r.look_at_us
FROM lock l JOIN run r ON r.id = l.run LEFT JOIN attempt a ON a.token = l.token
WHERE l.target > ? ORDER BY l.target LIMIT ?;
