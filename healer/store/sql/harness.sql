-- What tests of rulebooks look at: all that a store holds, which is little there.

-- name: seen_runs
SELECT id, state, reason, detail, rule, action, controller, parameters, created_us, changed_us, explanation FROM run ORDER BY turn, id;

-- name: seen_targets
SELECT run, target, state FROM run_target ORDER BY run, target;

-- name: seen_attempts
-- Those that have begun an effect.
SELECT run, started_us FROM attempt WHERE purpose = 'effect' AND started_us IS NOT NULL ORDER BY started_us, run;

-- name: seen_decisions
SELECT seq, n, at_us, rule, action_index, action, run, outcome, reason FROM decision ORDER BY seq, n;

-- name: seen_approvals
SELECT a.id, a.run, a.state, a.reason, a.asked_us, r.rule, r.action FROM approval a JOIN run r ON r.id = a.run ORDER BY a.asked_us, a.id;

-- name: seen_messages
SELECT receiver, news, members, count, made_us FROM outbox ORDER BY id;

-- name: seen_alerts
SELECT source, key, cycle, status, name, target, severity FROM alert ORDER BY source, key;

-- name: seen_events
-- What came from outside.
SELECT seq, kind, source, at_us FROM journal WHERE kind IN ('event', 'fact', 'retract') AND cause IS NULL ORDER BY seq;

-- name: seen_quarantine
SELECT seq, ruleset, error FROM quarantine ORDER BY seq, ruleset;

-- name: seen_facts
-- What was to be kept, whoever said so.
SELECT source, at_us, body, meta FROM journal WHERE kind = 'fact' AND body IS NOT NULL ORDER BY seq;
