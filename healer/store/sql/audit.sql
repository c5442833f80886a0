-- The audit.

-- name: audit_insert
INSERT INTO audit (seq, record, chain) VALUES (?, ?, ?);

-- name: audit_head_set
UPDATE audit_head SET size = ?, root = ?, chain = ?, frontier = ?;

-- name: audit_head
SELECT size, root, chain, frontier FROM audit_head;

-- name: audit_last_time
SELECT coalesce((SELECT at_us FROM audit ORDER BY seq DESC LIMIT 1), 0);

-- name: audit_chunk
-- For verification: rows from a number on.
SELECT seq, record, chain FROM audit WHERE seq >= ? ORDER BY seq LIMIT ?;
