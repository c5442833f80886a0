-- Deleting what its time is over for.

-- name: journal_oldest_needed
-- The oldest row that a snapshot, an open run or the position needs; rows before it may go, but for those in quarantine.
SELECT min(seq) FROM (
    SELECT seq FROM position
    UNION ALL SELECT oldest FROM snapshot
    UNION ALL SELECT min(seq) FROM run WHERE state IN ('deferred', 'awaiting_approval', 'queued', 'running', 'verifying', 'unknown')
) WHERE seq IS NOT NULL;

-- name: journal_trim
DELETE FROM journal WHERE seq IN (
    SELECT seq FROM journal WHERE seq < ? AND at_us < ? AND kind <> 'revision'
       AND seq NOT IN (SELECT seq FROM quarantine WHERE state = 'held') ORDER BY seq LIMIT ?);

-- name: past_trim
-- What the rules remembered then cannot be put back without the rows that it names.
DELETE FROM past WHERE oldest < (SELECT min(seq) FROM journal WHERE kind <> 'revision');

-- name: decision_trim
DELETE FROM decision WHERE (seq, n) IN (SELECT seq, n FROM decision WHERE seq < ? AND at_us < ? ORDER BY seq LIMIT ?);

-- name: delivery_trim
DELETE FROM delivery WHERE (source, id) IN (SELECT source, id FROM delivery WHERE seen_us < ? LIMIT ?);

-- name: output_trim
UPDATE attempt SET stdout_hash = NULL, stderr_hash = NULL
WHERE (run, number) IN (SELECT run, number FROM attempt WHERE ended_us < ? AND stdout_hash IS NOT NULL LIMIT ?);

-- name: opening_trim
-- Openings before the oldest row that a replay could come to, and older than what gates look back at.
DELETE FROM opening WHERE (source, key, seq) IN (SELECT source, key, seq FROM opening WHERE seq < ? AND at_us < ? ORDER BY seq LIMIT ?);

-- name: alert_trim
-- Alerts closed long ago that no run names any more: as long as one does, the next opening must not begin at cycle 1 again.
DELETE FROM alert WHERE (source, key) IN (
    SELECT a.source, a.key FROM alert a
    WHERE a.closed_us < ? AND a.status = 'resolved'
      AND NOT EXISTS (SELECT 1 FROM run_alert r WHERE r.source = a.source AND r.key = a.key)
    ORDER BY a.closed_us LIMIT ?
) RETURNING source, key, cycle;

-- name: runs_over
-- A run whose alert still fires in that cycle is what says `duplicate` to its repeats: it stays.
SELECT id FROM run r WHERE ended_us < ?
   AND NOT EXISTS (SELECT 1 FROM run_alert ra JOIN alert a ON a.source = ra.source AND a.key = ra.key
                   WHERE ra.run = r.id AND a.status = 'firing' AND a.cycle = ra.cycle)
ORDER BY created_us LIMIT ?;

-- name: attempt_forget
DELETE FROM attempt WHERE run = ?;

-- name: run_target_forget
DELETE FROM run_target WHERE run = ?;

-- name: run_alert_forget
DELETE FROM run_alert WHERE run = ?;

-- name: run_forget
DELETE FROM run WHERE id = ?;

-- name: blob_trim
-- Content older than an hour (somebody may be about to name it) that nothing names.
DELETE FROM blob WHERE hash IN (
    SELECT b.hash FROM blob b
    WHERE b.at_us < ?
      AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.body_hash = b.hash)
      AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.raw_hash = b.hash)
      AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.stdout_hash = b.hash)
      AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.stderr_hash = b.hash)
      AND NOT EXISTS (SELECT 1 FROM plan p WHERE p.hash = b.hash)
    LIMIT ?
) RETURNING hash;
