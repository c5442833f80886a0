-- T2: position, alerts, decisions, runs.

-- name: position_find
SELECT seq, at_us FROM position WHERE part = ?;

-- name: position_move
-- Only from where it was read.
UPDATE position SET seq = ?, at_us = ? WHERE part = ? AND seq = ?;

-- name: snapshot_insert
INSERT INTO snapshot (part, seq, revision, oldest, data, at_us) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (part, seq) DO NOTHING;

-- name: snapshot_drop_older
-- The newest two are kept: one, and one in case it cannot be read.
DELETE FROM snapshot WHERE part = ? AND seq < (SELECT min(seq) FROM (SELECT seq FROM snapshot WHERE seq <= ? ORDER BY seq DESC LIMIT 2));

-- name: snapshot_newest
-- Before a position; where those for a start are newer, of those of the past.
SELECT s.seq, r.id, s.oldest, s.data FROM (
    SELECT seq, revision, oldest, data FROM snapshot WHERE part = ? AND seq <= ?
    UNION ALL SELECT * FROM (SELECT seq, revision, oldest, data FROM past WHERE part = ? AND seq <= ? ORDER BY seq DESC LIMIT 2) AS p
) AS s JOIN revision r ON r.n = s.revision ORDER BY s.seq DESC LIMIT 2;

-- name: snapshots_kept
SELECT seq FROM snapshot WHERE part = ? AND seq <= ? ORDER BY seq DESC LIMIT 3;

-- name: past_newest
SELECT max(seq) FROM past WHERE part = ?;

-- name: past_keep
INSERT INTO past (part, seq, revision, oldest, size, at_us, data)
SELECT part, seq, revision, oldest, length(data), at_us, data FROM snapshot WHERE part = ? AND seq = ? AND length(data) <= ?;

-- name: past_size
SELECT coalesce(sum(size), 0) FROM past;

-- name: past_drop_oldest
DELETE FROM past WHERE (part, seq) IN (SELECT part, seq FROM past ORDER BY seq LIMIT 1);

-- name: revision_insert
INSERT INTO revision (id, first_us, git) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING;

-- name: revision_find
SELECT n FROM revision WHERE id = ?;

-- name: alert_open
INSERT INTO alert (source, key, cycle, status, opened_us, seen_us, closed_us, closed_by, ttl_us, first_seq, last_seq, times, name,
                   target, severity, summary, labels)
VALUES (?, ?, ?, 'firing', ?, ?, NULL, NULL, ?, ?, ?, 1, ?, ?, ?, ?, ?)
ON CONFLICT (source, key) DO UPDATE SET cycle = excluded.cycle, status = 'firing', opened_us = excluded.opened_us,
    seen_us = excluded.seen_us, closed_us = NULL, closed_by = NULL, ttl_us = excluded.ttl_us, first_seq = excluded.first_seq,
    last_seq = excluded.last_seq, times = 1, name = excluded.name, target = excluded.target, severity = excluded.severity,
    summary = excluded.summary, labels = excluded.labels;

-- name: opening_insert
INSERT INTO opening (source, key, seq, cycle, at_us) VALUES (?, ?, ?, ?, ?);

-- name: openings_between
-- Which alerts opened in rows after a position, up to another.
SELECT source, key, seq, cycle FROM opening WHERE seq > ? AND seq <= ? ORDER BY seq;

-- name: openings_of
-- All openings of one alert that are still kept.
SELECT source, key, seq, cycle FROM opening WHERE source = ? AND key = ? ORDER BY seq;

-- name: alert_cycle
SELECT cycle FROM alert WHERE source = ? AND key = ?;

-- name: alert_seen
UPDATE alert SET seen_us = ?, last_seq = ?, severity = ?, summary = ?, times = times + 1
WHERE source = ? AND key = ? AND status = 'firing';

-- name: alert_touch
-- The same word came over the other one of a redundant pair: heard of, not journaled.
UPDATE alert SET seen_us = max(seen_us, ?) WHERE source = ? AND key = ? AND status = 'firing';

-- name: alert_close
UPDATE alert SET status = 'resolved', closed_us = ?, closed_by = ?, last_seq = max(last_seq, ?)
WHERE source = ? AND key = ? AND status = 'firing';

-- name: alerts_state
-- What `decide` has to know of all alerts at its start.
SELECT source, key, cycle, status, seen_us, ttl_us FROM alert;

-- name: run_like
-- What runs have in common that wait for the same places, and what an attempt was told that it waits for.
SELECT r.flavor, r.rule, r.action, r.controller, a.held FROM run r JOIN attempt a ON a.run = r.id WHERE r.id = ? AND a.number = ?;

-- name: run_state
SELECT state, reason, deferred_us FROM run WHERE id = ?;

-- name: run_insert
INSERT INTO run (id, state, reason, detail, seq, rule, action, action_index, flavor, kind, subject, controller, parameters, extra,
                 idempotent, dry_run, limits, severity, depth, actor, revision, event_us, created_us, changed_us, deferred_us,
                 look_at_us, ended_us, explanation, after, lane, turn, labels)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: run_decide_again
-- Compare-and-set; a run that stays deferred, or is let go on from there, keeps the time since when.
UPDATE run SET state = ?, reason = ?, detail = ?, changed_us = ?, deferred_us = coalesce(?, CASE WHEN ? THEN deferred_us END),
    look_at_us = ?, ended_us = ?, explanation = ?
WHERE id = ? AND state = ?;

-- name: run_move
-- Compare-and-set without a new decision.
UPDATE run SET state = ?, reason = ?, detail = ?, changed_us = ?, ended_us = ?, look_at_us = NULL WHERE id = ? AND state = ?;

-- name: run_start
-- Compare-and-set of a run whose attempt takes effect now.
UPDATE run SET state = 'running', reason = '', detail = '{}', changed_us = ?, ended_us = NULL, look_at_us = NULL, deferred_us = NULL,
    explanation = ?
WHERE id = ? AND state = ?;

-- name: run_look_later
UPDATE run SET look_at_us = ?, changed_us = ?, detail = ?, explanation = ? WHERE id = ? AND state = 'deferred';

-- name: run_due
-- Runs whose gate can pass now, those for which the time of a person is over, and unknown ones that are to be done again.
SELECT id FROM run WHERE state IN ('deferred', 'awaiting_approval', 'verifying', 'unknown') AND look_at_us <= ? ORDER BY severity, created_us, id LIMIT 5000;

-- name: run_wake
-- An act ended what held them: look at them with the next tick.
UPDATE run SET look_at_us = ? WHERE state = 'deferred' AND reason = ?;

-- name: run_wake_all
-- Other rules and other limits hold.
UPDATE run SET look_at_us = ? WHERE state = 'deferred';

-- name: run_deferred_of_alert
SELECT r.id FROM run_alert a JOIN run r ON r.id = a.run
WHERE a.source = ? AND a.key = ? AND a.cycle <= ? AND a.firing = 1 AND r.state IN ('deferred', 'awaiting_approval', 'verifying');

-- name: run_next_look
SELECT min(at) FROM (SELECT min(look_at_us) AS at FROM run WHERE state = 'deferred' AND look_at_us IS NOT NULL
    UNION ALL SELECT min(look_at_us) FROM run WHERE state = 'awaiting_approval' AND look_at_us IS NOT NULL
    UNION ALL SELECT min(look_at_us) FROM run WHERE state = 'verifying' AND look_at_us IS NOT NULL
    UNION ALL SELECT min(look_at_us) FROM run WHERE state = 'unknown' AND look_at_us IS NOT NULL);

-- name: run_alert_insert
INSERT INTO run_alert (run, source, key, cycle, firing) VALUES (?, ?, ?, ?, ?) ON CONFLICT (source, key, run) DO NOTHING;

-- name: run_alerts_firing
SELECT source, key, cycle FROM run_alert WHERE run = ? AND firing = 1 ORDER BY source, key;

-- name: run_has_firing_alert
SELECT EXISTS (SELECT 1 FROM run_alert WHERE run = ? AND firing = 1);

-- name: run_alerts_open
-- How many of a run's firing alerts still fire in that cycle, and when the last of the others closed.
SELECT coalesce(sum(a.status = 'firing' AND a.cycle = ra.cycle), 0), max(coalesce(a.closed_us, a.opened_us))
FROM run_alert ra JOIN alert a ON a.source = ra.source AND a.key = ra.key WHERE ra.run = ? AND ra.firing = 1;

-- name: run_target_put
INSERT INTO run_target (run, target, value, action, state, reason, detail, ended_us) VALUES (?, ?, ?, ?, ?, ?, ?, NULL)
ON CONFLICT (run, target) DO UPDATE SET value = excluded.value, state = excluded.state, reason = excluded.reason,
    detail = excluded.detail;

-- name: run_target_verdict
UPDATE run_target SET state = ?, reason = ?, detail = ? WHERE run = ? AND target = ?;

-- name: run_targets_in
SELECT target, value FROM run_target WHERE run = ? AND state <> 'left_out' ORDER BY target;

-- name: run_target_values
SELECT target, value FROM run_target WHERE run = ?;

-- name: last_ended
-- The end of the last effect of an action on a target, and of which run; but for one run ('': none).
SELECT ended_us, run FROM run_target WHERE target = ? AND action = ? AND ended_us IS NOT NULL AND run <> ?
ORDER BY ended_us DESC LIMIT 1;

-- name: decision_began
-- Whether an attempt of the run's last decision has begun.
SELECT EXISTS (
    SELECT 1 FROM attempt a JOIN run r ON r.id = a.run
    WHERE a.run = ? AND a.purpose = 'effect' AND a.turn = r.turn AND a.started_us IS NOT NULL);

-- name: attempts_made
-- How often it was decided to try, and something took effect or may have: retries and waves of one decision have one turn. Two that
-- the daemon's own stop ended (there is a time of that, and nobody who asked) do not count.
SELECT coalesce(sum(NOT stopped) + max(sum(stopped) - 2, 0), 0) FROM (
    SELECT min(state = 'cancelled' AND cancel_by IS NULL AND cancel_us IS NOT NULL) AS stopped FROM attempt
    WHERE run = ? AND state NOT IN ('queued', 'withdrawn') AND purpose = 'effect' GROUP BY turn);

-- name: run_extra
SELECT extra FROM run WHERE id = ?;

-- name: attempt_last
SELECT coalesce(max(number), 0) FROM attempt WHERE run = ?;

-- name: attempt_insert
INSERT INTO attempt (run, number, token, state, targets, controller, severity, not_before_us, held, lane, turn)
SELECT ?, ?, ?, 'queued', ?, controller, severity, ?, '', lane, turn FROM run WHERE id = ?;

-- name: running_by_controller
SELECT controller, count(*) AS n FROM attempt WHERE state = 'running' GROUP BY controller;

-- name: run_refresh
-- A repeat decides again: the row takes what the rules say today.
UPDATE run SET seq = ?, action = ?, kind = ?, subject = ?, controller = ?, parameters = ?, extra = ?, idempotent = ?, dry_run = ?, limits = ?,
    severity = ?, revision = ?, event_us = ?, after = ?, lane = ?, turn = ?, labels = ?
WHERE id = ?;

-- name: run_targets_clear
-- Whoever is not asked for again is left out (its row stays: the end of an effect counts for cooldowns).
UPDATE run_target SET state = 'left_out', reason = '', detail = '{}' WHERE run = ?;
