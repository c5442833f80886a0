-- What people ask for: runs, alerts, events, the audit. Lists with filters are put together in reads.py.

-- name: run_full
SELECT r.*, v.id AS revision_id FROM run r JOIN revision v ON v.n = r.revision WHERE r.id = ?;

-- name: run_by_prefix
-- At most one more than are shown as candidates.
SELECT id, state, rule, action FROM run WHERE id >= ? AND id < ? ORDER BY id LIMIT 11;

-- name: attempts_of_run
SELECT run, number, token, state, targets, controller, held, not_before_us, started_us, deadline_us, ended_us, outcome, stdout_hash,
       stderr_hash, cancel_by, cancel_us, cancel_reason
FROM attempt WHERE run = ? ORDER BY number LIMIT 1000;

-- name: attempt_of_run
SELECT run, number, token, state, targets, controller, held, not_before_us, started_us, deadline_us, ended_us, outcome, stdout_hash,
       stderr_hash, cancel_by, cancel_us, cancel_reason
FROM attempt WHERE run = ? AND number = ?;

-- name: targets_of_run
SELECT target, value, state, reason, detail, ended_us FROM run_target WHERE run = ? ORDER BY target LIMIT 1000;

-- name: events_of_run
-- The rows whose matches led to the run: its own, and those of repeats.
SELECT DISTINCT seq FROM decision WHERE run = ? ORDER BY seq DESC LIMIT 100;

-- name: runs_of_event
SELECT DISTINCT run FROM decision WHERE seq = ? AND run IS NOT NULL ORDER BY run LIMIT 1000;

-- name: decisions_of_event
SELECT d.n, d.rule, d.action_index, d.action, d.run, d.outcome, d.reason, d.at_us, d.explanation
FROM decision d WHERE d.seq = ? ORDER BY d.n LIMIT 1000;

-- name: decided_to
-- How far the journal is decided.
SELECT seq FROM position WHERE part = 0;

-- name: audit_actors
-- The actors of people of which a text is a part (before ` = ` or behind it): from one actor to the next by the index, of whatever they did
-- only the first record.
WITH RECURSIVE people (low, high) AS (VALUES ('key:', 'key;'), ('os:', 'os;'), ('slack:', 'slack;')),
found (actor, high) AS (
    SELECT (SELECT a.actor FROM audit a WHERE a.actor >= p.low AND a.actor < p.high ORDER BY a.actor LIMIT 1), p.high FROM people p
    UNION ALL
    SELECT (SELECT a.actor FROM audit a WHERE a.actor > f.actor AND a.actor < f.high ORDER BY a.actor LIMIT 1), f.high
    FROM found f WHERE f.actor IS NOT NULL
    LIMIT 100000
)
SELECT actor FROM found WHERE instr(' = ' || actor || ' = ', ' = ' || ? || ' = ') ORDER BY actor LIMIT ?;

-- name: audit_time
SELECT at_us FROM audit WHERE seq = ?;
