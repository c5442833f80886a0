-- What is asked of others outside, and told to them.

-- name: pulse
INSERT INTO pulse (one, at_us) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET at_us = excluded.at_us;

-- name: alerts_of_source
-- Those of a source that fire, and those that were closed from a time on.
SELECT key, status, max(opened_us, seen_us) AS touched_us, last_seq, name, target, severity, summary, labels FROM alert
WHERE source = ? AND status = 'firing'
UNION ALL
SELECT key, status, closed_us, last_seq, name, target, severity, summary, labels FROM alert
WHERE closed_us IS NOT NULL AND closed_us >= ? AND source = ? AND status <> 'firing';

-- name: alert_told_last
-- The row that spoke last of an alert of the source.
SELECT max(last_seq) AS seq FROM alert WHERE source = ?;

-- name: runs_before_people
-- How many wait for a person.
SELECT count(*) AS n FROM run WHERE state = 'awaiting_approval';
