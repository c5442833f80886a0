-- T3, T4 and recovery: attempts and locks.

-- name: attempts_due
-- Queued attempts whose targets are free (or whose run locks none), the most severe first; every ten minutes of waiting count as one
-- step of severity, so that none starves.
SELECT a.run, a.number, a.token FROM attempt a
WHERE a.state = 'queued' AND a.not_before_us <= ?
  AND NOT EXISTS (SELECT 1 FROM run_target t JOIN lock l ON l.target = t.target WHERE t.run = a.run AND l.run <> a.run)
ORDER BY a.severity - (? - a.not_before_us) / 600000000, a.not_before_us, a.run LIMIT ?;

-- name: attempt_next
-- When the next queued attempt may start, of those that may not yet.
SELECT min(not_before_us) FROM attempt WHERE state = 'queued' AND not_before_us > ?;

-- name: attempt_targets
SELECT targets FROM attempt WHERE run = ? AND number = ?;

-- name: attempt_targets_set
UPDATE attempt SET targets = ? WHERE run = ? AND number = ? AND state = 'queued';

-- name: run_held_by
-- What its queued attempt waits for, for people.
UPDATE run SET reason = ?, detail = ?, explanation = ? WHERE id = ? AND state = 'queued';

-- name: attempt_held
UPDATE attempt SET held = ? WHERE run = ? AND number = ? AND state = 'queued';

-- name: attempt_start
UPDATE attempt SET state = 'running', held = '', started_us = ?, deadline_us = ?, epoch = ? WHERE run = ? AND number = ? AND state = 'queued';

-- name: attempt_move
UPDATE attempt SET state = ?, ended_us = ? WHERE run = ? AND number = ? AND state = ?;

-- name: attempt_end
UPDATE attempt SET state = ?, ended_us = ?, outcome = ?, stdout_hash = ?, stderr_hash = ?
WHERE run = ? AND number = ? AND state = 'running' AND epoch = ?;

-- name: attempt_take_up
UPDATE attempt SET epoch = ? WHERE run = ? AND number = ? AND state = 'running';

-- name: attempts_running
-- What a start finds under way.
SELECT run, number, token, targets, deadline_us, started_us FROM attempt WHERE state = 'running' ORDER BY started_us, run;

-- name: attempts_open
-- Those whose job folder still says something: what runs, and what nobody knows the end of.
SELECT token FROM attempt WHERE state IN ('running', 'unknown');

-- name: lock_take
INSERT INTO lock (target, token, run, epoch, since_us, expires_us) VALUES (?, ?, ?, ?, ?, ?);

-- name: lock_release
DELETE FROM lock WHERE token = ?;

-- name: lock_take_up
UPDATE lock SET epoch = ? WHERE token = ?;

-- name: run_target_end
UPDATE run_target SET state = ?, ended_us = ? WHERE run = ? AND target = ?;
