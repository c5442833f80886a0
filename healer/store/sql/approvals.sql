-- Requests for a person's word.

-- name: approval_insert
INSERT INTO approval (id, run, state, reason, digest, asked, requester, author, asked_us, expires_us, turn)
SELECT ?, id, 'open', ?, ?, ?, ?, ?, ?, ?, turn FROM run WHERE id = ?;

-- name: approval_count
SELECT count(*) FROM approval WHERE run = ?;

-- name: approval_find
SELECT id, run, state, digest, asked, requester, author, expires_us, steps FROM approval WHERE id = ?;

-- name: event_sent_by
-- Who sent an event, or the one that it came of at first by rules that append events.
WITH RECURSIVE up (seq, actor, cause) AS (
    SELECT seq, actor, cause FROM journal WHERE seq = ?
    UNION SELECT j.seq, j.actor, j.cause FROM journal j JOIN up ON j.seq = up.cause)
SELECT actor FROM up ORDER BY seq LIMIT 1;

-- name: approval_steps
UPDATE approval SET steps = ? WHERE id = ?;

-- name: approval_last
-- The last request of a run's last decision.
SELECT a.id, a.state, a.digest, a.author, a.reason, a.steps FROM approval a JOIN run r ON r.id = a.run WHERE a.run = ? AND a.turn = r.turn
ORDER BY a.asked_us DESC, a.id DESC LIMIT 1;

-- name: approvals_open
SELECT a.*, r.rule, r.action, r.controller, r.severity, r.parameters FROM approval a JOIN run r ON r.id = a.run
WHERE a.state = 'open' AND a.id > ? ORDER BY a.id LIMIT ?;

-- name: approvals_open_after
SELECT id, run, digest, author, steps FROM approval WHERE state = 'open' AND id > ? ORDER BY id LIMIT ?;

-- name: approvals_given_after
-- The last word on runs that have not started, or of which steps behind them have not, of their last decision.
SELECT a.id, a.run, a.digest, a.author, a.steps FROM approval a JOIN run r ON r.id = a.run
WHERE a.state = 'approved' AND a.id > ? AND a.turn = r.turn
    AND (r.state IN ('queued', 'deferred') OR EXISTS (
        SELECT 1 FROM json_each(a.steps) j JOIN run s ON s.id = j.value ->> 'run'
        WHERE s.state IN ('queued', 'deferred') AND s.turn = j.value ->> 'turn'))
    AND NOT EXISTS (SELECT 1 FROM approval b WHERE b.run = a.run AND (b.asked_us, b.id) > (a.asked_us, a.id))
ORDER BY a.id LIMIT ?;

-- name: attempts_withdraw
UPDATE attempt SET state = 'withdrawn', ended_us = ? WHERE run = ? AND state = 'queued';

-- name: approval_beginning
-- At most one more than are shown as candidates.
SELECT id, id AS name FROM approval WHERE substr(id, 1, length(?)) = ? ORDER BY id LIMIT 11;

-- name: approval_of_beginning
-- By the run: of each that begins so its newest request.
SELECT id, run AS name, max(asked_us) FROM approval WHERE substr(run, 1, length(?)) = ? GROUP BY run ORDER BY run LIMIT 11;

-- name: review_insert
INSERT INTO review (approval, person, role, approves, reason, at_us) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: reviews
SELECT person, role, approves, reason, at_us FROM review WHERE approval = ? ORDER BY at_us, person;

-- name: approval_shown
SELECT a.*, r.rule, r.action, r.controller, r.severity, r.parameters FROM approval a JOIN run r ON r.id = a.run WHERE a.id = ?;

-- name: review_forget
DELETE FROM review WHERE approval IN (SELECT id FROM approval WHERE run = ?);

-- name: approval_forget
DELETE FROM approval WHERE run = ?;
