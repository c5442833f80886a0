-- What `explain` reads.

-- name: decisions_of
-- With the run as it stands now; `run_seq` is the row whose decision it stands on.
SELECT d.rule, d.action, d.run, d.outcome, d.reason, d.revision, d.explanation, r.state, r.seq AS run_seq, r.reason AS run_reason,
       r.detail AS run_detail, r.explanation AS run_explanation, r.deferred_us
FROM decision d LEFT JOIN run r ON r.id = d.run WHERE d.seq = ? ORDER BY d.n;

-- name: decisions_holding
-- Decisions after a row on firings that hold its event: (row, rows looked through, row). Few firings note events of before.
SELECT d.seq, d.at_us, d.rule, d.action, d.run, d.outcome
FROM (SELECT * FROM decision WHERE seq > ? ORDER BY seq, n LIMIT ?) d
WHERE d.explanation LIKE '%"events":[%'
  AND EXISTS (SELECT 1 FROM json_each(d.explanation, '$.events') WHERE value = ?) LIMIT 1000;

-- name: event_latest
-- The newest event that came from outside, or that a person let out of quarantine: why something happened, or why nothing did.
SELECT seq FROM journal WHERE kind IN ('event', 'fact', 'retract') AND (cause IS NULL OR ordinal < 0) ORDER BY seq DESC LIMIT 1;

-- name: revision_at
-- The revision that held at a position.
SELECT coalesce((SELECT r.n FROM journal j JOIN revision r ON r.id = json_extract(CAST(j.body AS TEXT), '$.revision')
                 WHERE j.kind = 'revision' AND j.seq <= ? ORDER BY j.seq DESC LIMIT 1), 0) AS n;
