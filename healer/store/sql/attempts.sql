-- T3, T4 and recovery: attempts and locks.

-- name: attempts_due
-- Queued attempts whose targets are free (or whose run locks none) and that are first in their lane, the most severe first; every ten
-- minutes of waiting count as one step of severity, so that none starves. First in a sequence: no earlier one is queued, and no
-- earlier step of a list waits for one that goes on. For a lock an earlier one counts when it is tried again: it keeps its lock.
-- Of a lane one comes, so that a long one is not gone through: the first, of a lock the first whose targets are free. Of the others of
-- one severity the oldest come, from an index: who is behind them of his own severity is behind them of all.
SELECT a.run, a.number, a.token FROM (
    SELECT * FROM (SELECT run, number, token, severity, not_before_us, turn FROM attempt q
                   WHERE q.state = 'queued' AND q.lane = '' AND q.severity = 0 AND q.not_before_us <= ?
                     AND NOT EXISTS (SELECT 1 FROM run_target t JOIN lock l ON l.target = t.target WHERE t.run = q.run AND l.run <> q.run)
                   ORDER BY q.not_before_us, q.turn, q.run LIMIT ?)
    UNION ALL
    SELECT * FROM (SELECT run, number, token, severity, not_before_us, turn FROM attempt q
                   WHERE q.state = 'queued' AND q.lane = '' AND q.severity = 1 AND q.not_before_us <= ?
                     AND NOT EXISTS (SELECT 1 FROM run_target t JOIN lock l ON l.target = t.target WHERE t.run = q.run AND l.run <> q.run)
                   ORDER BY q.not_before_us, q.turn, q.run LIMIT ?)
    UNION ALL
    SELECT * FROM (SELECT run, number, token, severity, not_before_us, turn FROM attempt q
                   WHERE q.state = 'queued' AND q.lane = '' AND q.severity = 2 AND q.not_before_us <= ?
                     AND NOT EXISTS (SELECT 1 FROM run_target t JOIN lock l ON l.target = t.target WHERE t.run = q.run AND l.run <> q.run)
                   ORDER BY q.not_before_us, q.turn, q.run LIMIT ?)
    UNION ALL
    SELECT * FROM (SELECT run, number, token, severity, not_before_us, turn FROM attempt q
                   WHERE q.state = 'queued' AND q.lane = '' AND q.severity = 3 AND q.not_before_us <= ?
                     AND NOT EXISTS (SELECT 1 FROM run_target t JOIN lock l ON l.target = t.target WHERE t.run = q.run AND l.run <> q.run)
                   ORDER BY q.not_before_us, q.turn, q.run LIMIT ?)
    UNION ALL
    SELECT * FROM (SELECT run, number, token, severity, not_before_us, turn FROM attempt q
                   WHERE q.state = 'queued' AND q.lane = '' AND q.severity = 4 AND q.not_before_us <= ?
                     AND NOT EXISTS (SELECT 1 FROM run_target t JOIN lock l ON l.target = t.target WHERE t.run = q.run AND l.run <> q.run)
                   ORDER BY q.not_before_us, q.turn, q.run LIMIT ?)
    UNION ALL
    SELECT q.run, q.number, q.token, q.severity, q.not_before_us, q.turn
    FROM (SELECT w.lane, min(w.turn) AS turn FROM attempt w
          WHERE w.state = 'queued' AND w.lane <> '' AND w.lane >= 'lock:' AND w.lane < 'lock;' AND w.not_before_us <= ?
            AND NOT EXISTS (SELECT 1 FROM run_target t JOIN lock l ON l.target = t.target WHERE t.run = w.run AND l.run <> w.run)
          GROUP BY w.lane) h
    JOIN attempt q ON q.state = 'queued' AND q.lane <> '' AND q.lane = h.lane AND q.turn = h.turn
    WHERE NOT EXISTS (SELECT 1 FROM lock l WHERE l.target = q.lane AND l.run <> q.run)
      AND NOT EXISTS (SELECT 1 FROM attempt e WHERE e.state = 'queued' AND e.lane <> '' AND e.lane = q.lane AND e.turn < q.turn
                      AND e.number > 1)
    UNION ALL
    SELECT q.run, q.number, q.token, q.severity, q.not_before_us, q.turn
    FROM (SELECT lane, min(turn) AS turn FROM attempt
          WHERE state = 'queued' AND lane <> '' AND lane >= 'sequence:' AND lane < 'sequence;' GROUP BY lane) h
    JOIN attempt q ON q.state = 'queued' AND q.lane <> '' AND q.lane = h.lane AND q.turn = h.turn
    WHERE NOT EXISTS (SELECT 1 FROM lock l WHERE l.target = q.lane AND l.run <> q.run)
      AND NOT EXISTS (SELECT 1 FROM run s JOIN run b ON b.id = s.after
                      WHERE s.state = 'deferred' AND s.reason = 'chain' AND s.lane <> '' AND s.lane = q.lane AND s.turn < q.turn
                      AND b.state NOT IN ('deferred', 'awaiting_approval', 'unknown'))
) a
WHERE a.not_before_us <= ?
  AND NOT EXISTS (SELECT 1 FROM run_target t JOIN lock l ON l.target = t.target WHERE t.run = a.run AND l.run <> a.run)
ORDER BY a.severity - (? - a.not_before_us) / 600000000, a.not_before_us, a.turn, a.run LIMIT ?;

-- name: attempts_in_turn
-- Queued attempts of no lane behind a run, whatever their severity and age: where many before them cannot start, their turn comes too.
SELECT run, number, token FROM attempt WHERE state = 'queued' AND lane = '' AND run > ? AND not_before_us <= ? ORDER BY run LIMIT ?;

-- name: lane_holder
SELECT run FROM lock WHERE target = ? AND run <> ?;

-- name: lane_first
-- The first of a sequence that is queued before a turn.
SELECT run FROM attempt WHERE state = 'queued' AND lane <> '' AND lane = ? AND turn < ? ORDER BY turn LIMIT 1;

-- name: lane_again
-- The first of those that are tried again, before a turn: they keep their lock.
SELECT run FROM attempt WHERE state = 'queued' AND lane <> '' AND number > 1 AND lane = ? AND turn < ? ORDER BY turn LIMIT 1;

-- name: run_turn
SELECT turn FROM run WHERE id = ?;

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
-- Of a check it is kept that a pause held it, also where it comes back slowly afterwards, and once it runs.
UPDATE attempt SET held = CASE WHEN purpose = 'verify' AND held = 'paused' AND code = 'concurrency' THEN held ELSE code END
FROM (SELECT ? AS code) WHERE run = ? AND number = ? AND state = 'queued';

-- name: attempt_start
UPDATE attempt SET state = 'running', held = CASE WHEN purpose = 'verify' AND held = 'paused' THEN held ELSE '' END,
    started_us = ?, deadline_us = ?, epoch = ?
WHERE run = ? AND number = ? AND state = 'queued';

-- name: attempt_move
UPDATE attempt SET state = ?, ended_us = ? WHERE run = ? AND number = ? AND state = ?;

-- name: attempt_end
UPDATE attempt SET state = ?, ended_us = ?, outcome = ?, stdout_hash = ?, stderr_hash = ?
WHERE run = ? AND number = ? AND state = 'running' AND epoch = ?;

-- name: attempt_take_up
UPDATE attempt SET epoch = ? WHERE run = ? AND number = ? AND state = 'running';

-- name: attempt_outcomes
SELECT outcome FROM attempt WHERE run = ? AND purpose = 'effect' AND outcome IS NOT NULL;

-- name: attempt_deadline
SELECT deadline_us FROM attempt WHERE run = ? AND number = ?;

-- name: run_once_more_at
-- One that is unknown, and may be done again once its time is over.
UPDATE run SET look_at_us = ? WHERE id = ? AND state = 'unknown';

-- name: attempts_failed
-- Of the run's last decision.
SELECT count(*) FROM attempt a JOIN run r ON r.id = a.run
WHERE a.run = ? AND a.state = 'failed' AND a.purpose = 'effect' AND a.turn = r.turn;

-- name: attempts_running
-- What a start finds under way.
SELECT run, number, token, targets, deadline_us, started_us, purpose FROM attempt WHERE state = 'running' ORDER BY started_us, run;

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
