-- API keys: hashes only; and who may what.

-- name: key_insert
INSERT INTO api_key (id, hash, name, role, principal, created_us, created_by, revoked_us) VALUES (?, ?, ?, ?, ?, ?, ?, NULL);

-- name: keys_live_count
SELECT count(*) FROM api_key WHERE revoked_us IS NULL;

-- name: key_find
SELECT id, name, role, principal, revoked_us FROM api_key WHERE id = ?;

-- name: key_revoke
UPDATE api_key SET revoked_us = ? WHERE id = ? AND revoked_us IS NULL;

-- name: keys_all
-- With the hashes, for who authenticates; newest first.
SELECT id, hash, name, role, principal, created_us, created_by, revoked_us FROM api_key ORDER BY created_us DESC, id LIMIT ?;

-- name: access_held
SELECT holds FROM access;

-- name: access_put
INSERT INTO access (one, holds) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET holds = excluded.holds;
