-- T3, T4 and recovery: attempts and locks.

-- name: attempts_due
-- Queued attempts whose targets are free (or whose run locks none) and that are first in their lane, the most severe first; every ten
-- minutes of waiting count as one step of severity, so that none starves. First in a sequence: no earlier one is queued, and no
-- earlier step of a list waits for one that goes on. For a lock an earlier one counts when it is tried again: it keeps its lock.
SELECT a.run, a.number, a.token FROM attempt a
WHERE a.state = 'queued' AND a.not_before_us <= ?
  AND NOT EXISTS (SELECT 1 FROM run_target t JOIN lock l ON l.target = t.target WHERE t.run = a.run AND l.run <> a.run)
  AND (a.lane = '' OR (
    NOT EXISTS (SELECT 1 FROM lock l WHERE l.target = a.lane AND l.run <> a.run)
    AND NOT EXISTS (SELECT 1 FROM attempt e WHERE e.state = 'queued' AND e.lane <> '' AND e.lane = a.lane AND e.turn < a.turn
                    AND (e.number > 1 OR a.lane LIKE 'sequence:%'))
    AND NOT EXISTS (SELECT 1 FROM run s JOIN run b ON b.id = s.after
                    WHERE s.state = 'deferred' AND s.reason = 'chain' AND s.lane <> '' AND s.lane = a.lane AND s.turn < a.turn
                    AND b.state NOT IN ('deferred', 'awaiting_approval', 'unknown'))))
ORDER BY a.severity - (? - a.not_before_us) / 600000000, a.not_before_us, a.turn, a.run LIMIT ?;

-- name: lane_before
-- The run that is before another in its lane: it holds it, or its turn is earlier.
SELECT run FROM (
    SELECT l.run AS run, 0 AS rank, 0 AS turn FROM lock l WHERE l.target = ? AND l.run <> ?
    UNION ALL
    SELECT e.run, 1, e.turn FROM attempt e WHERE e.state = 'queued' AND e.lane <> '' AND e.lane = ? AND e.run <> ?
        AND (e.number > 1 OR e.lane LIKE 'sequence:%')
        AND (e.turn < (SELECT turn FROM run WHERE id = ?) OR NOT EXISTS (SELECT 1 FROM run WHERE id = ?))
) ORDER BY rank, turn LIMIT 1;

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

-- name: attempts_failed
SELECT count(*) FROM attempt WHERE run = ? AND state = 'failed';

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

-- name: lane_release
-- A sequence goes on where nobody knows how an attempt ended; what its targets and its lock hold stays held.
DELETE FROM lock WHERE token = ? AND target LIKE 'sequence:%';

-- name: run_target_end
UPDATE run_target SET state = ?, ended_us = ? WHERE run = ? AND target = ?;
