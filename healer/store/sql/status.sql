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
SELECT r.rule, a.state, count(*) AS n FROM attempt a JOIN run r ON r.id = a.run
WHERE a.started_us > ? AND a.state NOT IN ('queued', 'withdrawn') GROUP BY r.rule, a.state;
