-- What follows on an effect.

-- name: run_target_states
SELECT target, state FROM run_target WHERE run = ? ORDER BY target;

-- name: run_targets_stop
-- What no wave has come to is not touched.
UPDATE run_target SET state = 'left_out', reason = ?, detail = ? WHERE run = ? AND state NOT IN ('succeeded', 'failed', 'timed_out', 'cancelled', 'unknown', 'left_out');

-- name: run_verify
UPDATE run SET state = 'verifying', reason = '', detail = ?, changed_us = ?, look_at_us = ? WHERE id = ? AND state = ?;

-- name: attempt_insert_check
INSERT INTO attempt (run, number, token, state, targets, controller, severity, not_before_us, held, lane, turn, purpose)
VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, '', '', 0, 'verify');

-- name: attempt_of
SELECT purpose, targets FROM attempt WHERE run = ? AND number = ?;

-- name: checks_open
SELECT state, held FROM attempt WHERE run = ? AND purpose = 'verify' AND state IN ('queued', 'running');

-- name: check_began
-- When, and what had held it, where that is kept: a pause.
SELECT started_us, held FROM attempt WHERE run = ? AND number = ?;

-- name: checks_untold
SELECT count(*) FROM attempt WHERE run = ? AND purpose = 'verify' AND state = 'unknown' AND started_us >= ?;

-- name: run_verify_until
UPDATE run SET detail = ?, look_at_us = ? WHERE id = ? AND state = 'verifying';

-- name: run_verify_look
UPDATE run SET look_at_us = ? WHERE id = ? AND state = 'verifying';

-- name: check_last
-- The last look whether a run helped, or is still needed.
SELECT state, coalesce(ended_us, 0) FROM attempt WHERE run = ? AND purpose = 'verify' ORDER BY number DESC LIMIT 1;

-- name: alerts_heard
-- When the senders of a run's firing alerts spoke of them last.
SELECT max(a.seen_us) FROM run_alert ra JOIN alert a ON a.source = ra.source AND a.key = ra.key
WHERE ra.run = ? AND ra.firing = 1 AND a.status = 'firing' AND a.cycle = ra.cycle;

-- name: runs_without_sign
-- Those that wait for a fresh sign of an alert.
SELECT r.id FROM run_alert a JOIN run r ON r.id = a.run
WHERE a.source = ? AND a.key = ? AND a.firing = 1 AND r.reason = 'no_fresh_sign' AND r.state IN ('deferred', 'awaiting_approval');

-- name: any_without_sign
SELECT EXISTS (SELECT 1 FROM run WHERE reason = 'no_fresh_sign' AND state IN ('deferred', 'awaiting_approval'));

-- name: run_sign_came
UPDATE run SET look_at_us = ? WHERE id = ? AND reason = 'no_fresh_sign' AND state IN ('deferred', 'awaiting_approval');

-- name: approval_not_needed
-- A sign came before the person's word: nobody has approved it.
UPDATE approval SET state = 'withdrawn', decided_us = ? WHERE run = ? AND state = 'open';

-- name: checks_cancel
UPDATE attempt SET state = 'cancelled', ended_us = ? WHERE run = ? AND purpose = 'verify' AND state = 'queued';

-- name: run_insert_rung
-- The run of the next rung has its event, its rule and its alert from the one before it.
INSERT INTO run (id, state, reason, detail, seq, rule, action, action_index, flavor, kind, subject, controller, parameters, extra,
                 idempotent, dry_run, limits, severity, depth, actor, revision, event_us, created_us, changed_us, deferred_us,
                 look_at_us, ended_us, explanation, after, lane, turn, labels, rung, not_before_us)
SELECT ?, 'deferred', 'escalation', ?, seq, rule, ?, action_index, 'catalog', ?, ?, ?, ?, ?, ?, 0, ?, severity, depth, actor, revision, ?, ?, ?, ?,
       ?, NULL, '{"conditions":[],"gates":[],"would":""}', ?, '', turn, labels, ?, ?
FROM run WHERE id = ?;

-- name: run_alerts_copy
INSERT INTO run_alert (run, source, key, cycle, firing) SELECT ?, source, key, cycle, firing FROM run_alert WHERE run = ?;

-- name: run_targets_copy
-- Those that the one before it was for, and did not leave out for a gate.
INSERT INTO run_target (run, target, value, action, state, reason, detail, ended_us)
SELECT ?, target, value, ?, 'deferred', 'escalation', '{}', NULL FROM run_target WHERE run = ? AND (state <> 'left_out' OR reason = 'max_errors');

-- name: run_target_again
-- What an attempt did not come to the end of.
UPDATE run_target SET state = 'queued' WHERE run = ? AND target = ? AND state NOT IN ('succeeded', 'left_out');

-- name: run_targets_again
-- What failed is tried again.
UPDATE run_target SET state = 'queued' WHERE run = ? AND state IN ('failed', 'timed_out', 'cancelled');

-- name: run_instead
-- What is at work in a run's place: a step of its escalation, or what is tried where nobody approved it.
WITH RECURSIVE rung (id, state) AS (
    SELECT id, state FROM run WHERE after = ? AND after <> '' AND rung > 0
    UNION SELECT r.id, r.state FROM run r JOIN rung ON r.after = rung.id WHERE r.after <> '' AND r.rung > 0)
SELECT id, state FROM rung WHERE state IN ('queued', 'running', 'verifying', 'unknown') LIMIT 1;
