-- Plans of runs: what their controllers would do.

-- name: plan_want
INSERT INTO plan (run, state, asked_us) VALUES (?, 'wanted', ?);

-- name: plans_wanted
-- Those that are to be made, of runs that wait for a person before others, the oldest first.
SELECT p.run, p.asked_us FROM plan p JOIN run r ON r.id = p.run WHERE p.state = 'wanted'
ORDER BY r.state <> 'awaiting_approval', p.asked_us, p.run LIMIT ?;

-- name: plans_over
-- Of runs that went on without one.
UPDATE plan SET state = 'skipped', made_us = ?, detail = 'the run went on before it was made'
WHERE state = 'wanted' AND run IN (SELECT id FROM run WHERE run.id = plan.run AND run.state NOT IN ('simulated', 'awaiting_approval'));

-- name: plan_end
UPDATE plan SET state = ?, made_us = ?, seconds = ?, detail = ?, hash = ? WHERE run = ? AND asked_us = ? AND state = 'wanted';

-- name: plans_skip
-- All that are wanted but for these (a JSON array of runs).
UPDATE plan SET state = 'skipped', made_us = ?, detail = ?
WHERE state = 'wanted' AND run NOT IN (SELECT value FROM json_each(?));

-- name: plan_of
SELECT state, asked_us, made_us, seconds, detail, hash FROM plan WHERE run = ?;

-- name: plan_trim
UPDATE plan SET hash = NULL WHERE run IN (SELECT run FROM plan WHERE made_us < ? AND hash IS NOT NULL LIMIT ?);

-- name: plan_forget
DELETE FROM plan WHERE run = ?;
