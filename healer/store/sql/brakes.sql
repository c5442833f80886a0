-- What the gates look at beside a run's own rows.

-- name: openings_since
SELECT at_us FROM opening WHERE source = ? AND key = ? AND at_us > ? ORDER BY seq DESC LIMIT 1000;

-- name: silences_now
SELECT id, matchers, from_us, until_us, who, comment FROM silence WHERE ended_us IS NULL AND from_us <= ? AND until_us > ?
ORDER BY until_us DESC LIMIT 1000;

-- name: inhibitors
-- Who explains others, with the labels of today.
SELECT i.source, i.key, i.name, a.labels FROM inhibitor i JOIN alert a ON a.source = i.source AND a.key = i.key
WHERE i.rule = ? AND i.shared = ? ORDER BY i.source, i.key LIMIT 1000;

-- name: inhibitor_put
INSERT INTO inhibitor (rule, shared, source, key, name) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: alerts_firing
SELECT source, key, name, labels FROM alert WHERE status = 'firing';

-- name: inhibitor_rules
SELECT DISTINCT rule FROM inhibitor;

-- name: inhibitor_clear
DELETE FROM inhibitor WHERE rule = ?;

-- name: spent_times
-- When runs took of a rate's budget within its time, the newest first; those that have not begun yet may begin now.
SELECT at_us FROM (
    SELECT * FROM (SELECT ? AS at_us FROM spent WHERE budget = ? AND target = '' AND started = 0 LIMIT ?)
    UNION ALL
    SELECT * FROM (SELECT at_us FROM spent WHERE budget = ? AND at_us > ? AND target = '' AND started = 1 ORDER BY at_us DESC LIMIT ?))
ORDER BY at_us DESC;

-- name: spent_targets
-- Targets touched within the time of a blast radius, and those that are to be.
SELECT target FROM spent WHERE budget = ? AND started = 0 AND target <> ''
UNION SELECT target FROM spent WHERE budget = ? AND at_us > ? AND started = 1 AND target <> '';

-- name: spent_of
SELECT budget, target, started FROM spent WHERE run = ?;

-- name: spent_put
INSERT INTO spent (budget, run, target, at_us, started) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: spent_start
UPDATE spent SET started = 1, at_us = ? WHERE run = ? AND target = ? AND started = 0;

-- name: spent_back
DELETE FROM spent WHERE run = ? AND target = ? AND started = 0;

-- name: spent_not_begun
-- It is certain that an attempt took no effect: what it took comes back, and the next one takes it again if it is still there.
DELETE FROM spent WHERE run = ? AND started = 1
    AND at_us = (SELECT started_us FROM attempt WHERE attempt.run = spent.run AND attempt.number = ?);

-- name: spent_give_back
-- What no attempt was begun with.
DELETE FROM spent WHERE run = ? AND started = 0;

-- name: spent_apart
-- What an attempt took stays spent, and is no reservation for the next one.
UPDATE spent SET run = ? WHERE run = ? AND started = 1;

-- name: spent_trim
DELETE FROM spent WHERE (budget, run, target, at_us) IN (SELECT budget, run, target, at_us FROM spent WHERE at_us < ? LIMIT ?);

-- name: place_take
INSERT INTO place (budget, token) VALUES (?, ?) ON CONFLICT DO NOTHING;

-- name: places_taken
SELECT count(*) FROM place WHERE budget = ?;

-- name: breaker_find
SELECT failures, good FROM breaker WHERE action = ? AND controller = ?;

-- name: breaker_put
INSERT INTO breaker (action, controller, failures, good) VALUES (?, ?, ?, ?)
ON CONFLICT (action, controller) DO UPDATE SET failures = excluded.failures, good = excluded.good;

-- name: breaker_drop
DELETE FROM breaker WHERE action = ? AND controller = ?;

-- name: breaker_trial
-- Another run of the action on the controller that may be the trial.
SELECT id FROM run WHERE action = ? AND controller = ? AND state IN ('queued', 'running', 'verifying') AND id <> ? LIMIT 1;

-- name: breaker_waiting
-- The trial has ended: who waits for it is looked at.
UPDATE run SET look_at_us = ? WHERE state = 'deferred' AND reason = 'breaker_open' AND action = ? AND controller = ?;

-- name: storm_find
SELECT since_us, last_us, peak FROM storm;

-- name: storm_put
INSERT INTO storm (one, since_us, last_us, peak) VALUES (1, ?, ?, ?)
ON CONFLICT (one) DO UPDATE SET since_us = excluded.since_us, last_us = excluded.last_us, peak = excluded.peak;

-- name: storm_untold
-- Whether the audit has the last storm's beginning and not its end.
SELECT coalesce((SELECT max(seq) FROM audit WHERE kind = 'storm'), -1) > coalesce((SELECT max(seq) FROM audit WHERE kind = 'storm_over'), -1) AS untold;

-- name: storm_drop
DELETE FROM storm;

-- name: matched_add
INSERT INTO matched (second, n) VALUES (?, 1) ON CONFLICT (second) DO UPDATE SET n = n + 1;

-- name: matched_since
SELECT coalesce(sum(n), 0) FROM matched WHERE second > ?;

-- name: matched_trim
DELETE FROM matched WHERE second < ?;

-- name: pauses
SELECT scope, who, reason, since_us, until_us, digest FROM pause;

-- name: ramps
SELECT scope, what, since_us FROM ramp;

-- name: ramp_put
INSERT INTO ramp (scope, what, since_us) VALUES (?, ?, ?) ON CONFLICT (scope) DO UPDATE SET what = excluded.what, since_us = excluded.since_us;

-- name: ramp_drop
DELETE FROM ramp WHERE scope = ?;

-- name: ramps_drop_after
DELETE FROM ramp WHERE what = ?;

-- name: ramp_attempts
-- Of effects that began after a ramp did, by rule and controller: how many are under way, and how many have ended. What went on meanwhile
-- says nothing of what comes back.
SELECT r.rule, r.controller, count(*) FILTER (WHERE a.state = 'running'),
    count(*) FILTER (WHERE a.ended_us IS NOT NULL AND a.state <> 'withdrawn')
FROM attempt a JOIN run r ON r.id = a.run
WHERE a.started_us IS NOT NULL AND a.started_us >= ? AND a.purpose = 'effect' GROUP BY r.rule, r.controller;

-- name: pause_put
INSERT INTO pause (scope, who, reason, since_us, until_us, digest) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (scope) DO UPDATE SET who = excluded.who, reason = excluded.reason, since_us = excluded.since_us, until_us = excluded.until_us,
    digest = excluded.digest;

-- name: pause_drop
DELETE FROM pause WHERE scope = ?;

-- name: attempts_covered
-- Attempts under way, with what a scope may cover.
SELECT a.run, a.token, r.action, a.targets, a.started_us, r.rule, a.controller FROM attempt a JOIN run r ON r.id = a.run
WHERE a.state = 'running' ORDER BY a.started_us;

-- name: file_pause_last
-- What the last record of the file PAUSE says. Those of commands have their scope beside the detail, not in it.
SELECT kind FROM audit INDEXED BY audit_kind WHERE kind IN ('pause', 'resume') AND actor = 'daemon'
    AND json_extract(record, '$.detail.scope') IS NOT NULL ORDER BY seq DESC LIMIT 1;

-- name: runs_paused
-- In the order in which they are looked at.
SELECT id, rule, controller, severity, created_us FROM run WHERE state = 'deferred' AND reason = 'paused' ORDER BY severity, created_us, id;

-- name: runs_queued
SELECT id, rule, controller FROM run WHERE state = 'queued';

-- name: runs_of_before
-- What may go on without a person, also as a retry, a wave or a rung of what is under way, and was decided by another revision.
SELECT id, rule, controller, extra, state IN ('running', 'verifying', 'unknown') FROM run
WHERE (state IN ('deferred', 'queued', 'running', 'verifying', 'unknown') OR (state = 'awaiting_approval' AND reason = 'no_fresh_sign'))
    AND revision <> ?;

-- name: run_extra_set
UPDATE run SET extra = ? WHERE id = ?;

-- name: rules_paused
-- Whose runs wait for the end of a pause, and on which controllers.
SELECT DISTINCT rule, controller FROM run WHERE state = 'deferred' AND look_at_us IS NULL AND reason = 'paused';

-- name: run_look_now
UPDATE run SET look_at_us = ? WHERE id = ? AND state = 'deferred';

-- name: silence_insert
INSERT INTO silence (id, matchers, from_us, until_us, who, comment, created_us) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: silence_end
UPDATE silence SET ended_us = ?, ended_by = ? WHERE id = ? AND ended_us IS NULL AND until_us > ?;

-- name: silences_over
-- Those whose time is over, of which no record says so.
SELECT id, matchers, until_us FROM silence WHERE ended_us IS NULL AND until_us <= ? ORDER BY until_us, id LIMIT ?;

-- name: silence_over
UPDATE silence SET ended_us = until_us, ended_by = 'daemon' WHERE id = ? AND ended_us IS NULL AND until_us <= ?;

-- name: silence_find
SELECT matchers, until_us FROM silence WHERE id = ?;

-- name: silences_made
SELECT count(*) FROM silence;

-- name: silences_count
SELECT count(*) FROM silence WHERE ended_us IS NULL AND until_us > ?;

-- name: silences
-- The newest first.
SELECT id, matchers, from_us, until_us, who, comment, created_us, ended_us, ended_by FROM silence ORDER BY created_us DESC, id LIMIT ?;

-- name: silence_beginning
SELECT id, matchers FROM silence WHERE substr(id, 1, length(?)) = ? ORDER BY id LIMIT 10;

-- name: breakers
SELECT action, controller, failures, good FROM breaker ORDER BY action, controller;

-- name: limits_of_last
SELECT limits FROM run WHERE action = ? AND controller = ? ORDER BY created_us DESC LIMIT 1;
