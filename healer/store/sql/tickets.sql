-- Links by which one person decides one request.

-- name: ticket_key
SELECT key FROM ticket_key;

-- name: ticket_key_insert
INSERT INTO ticket_key (one, key, made_us) VALUES (1, ?, ?) ON CONFLICT DO NOTHING;

-- name: ticket_use
INSERT INTO ticket_used (digest, approval, person, used_us, expires_us) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: ticket_find
SELECT used_us FROM ticket_used WHERE digest = ?;

-- name: tickets_forget
DELETE FROM ticket_used WHERE digest IN (SELECT digest FROM ticket_used WHERE expires_us <= ? ORDER BY expires_us LIMIT 1000);
