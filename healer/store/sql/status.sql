-- What the daemon's status counts.

-- name: status_alerts
SELECT coalesce(sum(status = 'firing'), 0) AS firing, sum(opened_us > ?) AS opened, sum(status = 'resolved' AND closed_us > ?) AS resolved
FROM alert;

-- name: status_runs
SELECT state, count(*) AS n FROM run WHERE state IN ('deferred', 'awaiting_approval', 'queued', 'running', 'verifying', 'unknown')
GROUP BY state;

-- name: status_quarantine
SELECT count(*) AS n FROM quarantine WHERE state = 'held';

-- name: status_decisions
SELECT rule, reason, count(*) AS n FROM decision WHERE seq >= coalesce((SELECT min(seq) FROM journal WHERE at_us > ?), 1 << 62)
GROUP BY rule, reason;

-- name: status_outcomes
-- Of runs, not attempts: one that is tried again, or has many targets, acts once; one that is not verified yet has not healed.
SELECT rule, state, count(*) AS n FROM run
WHERE id IN (SELECT run FROM attempt WHERE started_us > ? AND purpose = 'effect' AND state NOT IN ('queued', 'withdrawn'))
GROUP BY rule, state;
