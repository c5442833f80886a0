-- Dead letters and stored events: quarantine, what is sent again, where a process died.

-- name: quarantine_insert
INSERT INTO quarantine (seq, ruleset, error, tries, at_us) VALUES (?, ?, ?, ?, ?) ON CONFLICT (seq, ruleset) DO NOTHING;

-- name: quarantine_held
-- Of one event: which rulesets it is held for.
SELECT ruleset FROM quarantine WHERE seq = ? AND state = 'held' ORDER BY ruleset;

-- name: quarantine_end
-- Compare-and-set: somebody decides what becomes of it.
UPDATE quarantine SET state = ?, ended_us = ?, released = ? WHERE seq = ? AND ruleset = ? AND state = 'held';

-- name: quarantine_between
-- What did not hear of which rows after a position, whatever became of it since: a replay leaves it out too.
SELECT seq, ruleset FROM quarantine WHERE seq > ? AND seq <= ? ORDER BY seq, ruleset;

-- name: quarantine_trim
-- What nobody holds any more, before the oldest row that a replay could come to.
DELETE FROM quarantine WHERE (seq, ruleset) IN (
    SELECT seq, ruleset FROM quarantine WHERE state <> 'held' AND seq < ? AND at_us < ? ORDER BY seq LIMIT ?);

-- name: quarantined_of_event
SELECT ruleset, error, tries, at_us, state, ended_us, released FROM quarantine WHERE seq = ? ORDER BY ruleset LIMIT 1000;

-- name: released_before
-- The lowest ordinal of the rows that tried an event of the quarantine again; theirs are negative.
SELECT coalesce(min(ordinal), 0) FROM journal WHERE cause = ? AND ordinal < 0;

-- name: stumble_find
SELECT seq, deaths, trying, stopped FROM stumble WHERE part = ?;

-- name: stumble_begin
INSERT INTO stumble (part, seq, deaths, trying, stopped) VALUES (?, ?, ?, 0, 0)
ON CONFLICT (part) DO UPDATE SET seq = excluded.seq, deaths = excluded.deaths, trying = 0, stopped = 0;

-- name: stumble_try
UPDATE stumble SET seq = ?, trying = ? WHERE part = ?;

-- name: stumble_past
UPDATE stumble SET seq = ?, deaths = 0, trying = 0 WHERE part = ?;

-- name: stumble_stop
UPDATE stumble SET deaths = 0, trying = 0, stopped = 1 WHERE part = ?;

-- name: journal_before
-- The last row before a time, and whether there is one.
SELECT coalesce(max(seq), 0) AS seq FROM journal WHERE at_us < ?;

-- name: journal_end
SELECT coalesce(max(seq), 0) AS seq FROM journal;
