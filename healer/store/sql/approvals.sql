-- Requests for a person's word.

-- name: approval_insert
INSERT INTO approval (id, run, state, reason, digest, asked, requester, author, asked_us, expires_us, turn)
SELECT ?, id, 'open', ?, ?, ?, ?, ?, ?, ?, turn FROM run WHERE id = ?;

-- name: approval_count
SELECT count(*) FROM approval WHERE run = ?;

-- name: approval_find
SELECT id, run, state, digest, asked, requester, author, expires_us FROM approval WHERE id = ?;

-- name: approval_last
-- The last request of a run's last decision.
SELECT a.id, a.state, a.digest, a.author, a.reason FROM approval a JOIN run r ON r.id = a.run WHERE a.run = ? AND a.turn = r.turn
ORDER BY a.asked_us DESC, a.id DESC LIMIT 1;

-- name: approvals_open
SELECT a.*, r.rule, r.action, r.controller, r.severity, r.parameters FROM approval a JOIN run r ON r.id = a.run
WHERE a.state = 'open' AND a.id > ? ORDER BY a.id LIMIT ?;

-- name: approvals_open_after
SELECT id, run, digest, author FROM approval WHERE state = 'open' AND id > ? ORDER BY id LIMIT ?;

-- name: approval_beginning
SELECT id FROM approval WHERE substr(id, 1, length(?)) = ? OR substr(run, 1, length(?)) = ? ORDER BY asked_us DESC LIMIT 2;

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
