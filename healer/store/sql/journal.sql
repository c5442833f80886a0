-- The journal, deliveries, blobs.

-- name: journal_last
-- The last position and its time; zeros for an empty journal.
SELECT coalesce(max(seq), 0), coalesce(max(at_us), 0) FROM journal WHERE seq = (SELECT max(seq) FROM journal);

-- name: journal_caused
-- The row that a match appended, if it did so already.
SELECT seq FROM journal WHERE cause = ? AND ordinal = ?;

-- name: journal_after
-- Rows after a position, in order.
SELECT seq, kind, source, at_us, depth, cause, ordinal, body, body_hash, raw_hash, meta, actor
FROM journal WHERE part = ? AND seq > ? ORDER BY seq LIMIT ?;

-- name: journal_one
-- One row.
SELECT seq, kind, source, at_us, depth, cause, ordinal, body, body_hash, raw_hash, meta, actor, raw
FROM journal WHERE seq = ?;

-- name: repeats_since
-- What pairs of senders said since then, the newest first.
SELECT seq, source, at_us, repeat FROM journal WHERE at_us > ? AND repeat IS NOT NULL ORDER BY seq DESC LIMIT ?;

-- name: journal_first
-- The first event that is kept, and how many rows before it are.
SELECT seq, (SELECT count(*) FROM journal AS b WHERE b.seq < j.seq) AS before FROM journal AS j WHERE kind <> 'revision' ORDER BY seq LIMIT 1;

-- name: journal_last_revision
-- The last row that named the rules, up to a position.
SELECT seq, body FROM journal WHERE kind = 'revision' AND seq <= ? ORDER BY seq DESC LIMIT 1;

-- name: facts_of
-- The facts of a ruleset, the oldest first.
SELECT meta, body FROM journal WHERE kind = 'fact' AND source = ? ORDER BY seq;

-- name: delivery_find
-- What came under these ids before.
SELECT d.source, d.id, d.seq, d.digest, d.seen_us, d.positions FROM (VALUES (?, ?)) AS wanted
CROSS JOIN delivery AS d WHERE d.source = wanted.column1 AND d.id = wanted.column2;

-- name: delivery_told
-- Where the events of a delivery stand of which a pair had brought some, or all: then nothing else keeps its id.
INSERT INTO delivery (source, id, seq, digest, seen_us, positions) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (source, id) DO UPDATE SET positions = excluded.positions WHERE digest = excluded.digest AND positions IS NULL;

-- name: delivery_insert
INSERT INTO delivery (source, id, seq, digest, seen_us) VALUES (?, ?, ?, ?, ?);

-- name: blob_insert
-- Content is named by its hash: what is there is the same.
INSERT INTO blob (hash, size, data, at_us) VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING;

-- name: blob_find
SELECT size, data FROM blob WHERE hash = ?;
