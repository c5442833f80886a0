-- Notifications: what is told, to whom, and how far the audit was followed.

-- name: followed
SELECT seq FROM followed;

-- name: followed_set
INSERT INTO followed (one, seq) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET seq = excluded.seq;

-- name: followed_forget
DELETE FROM followed;

-- name: records_after
SELECT seq, record FROM audit WHERE seq >= ? ORDER BY seq LIMIT ?;

-- name: run_standing
SELECT state, reason, rule, action FROM run WHERE id = ?;

-- name: outbox_joinable
SELECT id, members, count, due_us, state FROM outbox WHERE receiver = ? AND subject = ? AND open = 1 ORDER BY id DESC LIMIT 1;

-- name: outbox_latest
-- When a receiver was last told of a subject by a message of its own, or will be.
SELECT max(made_us) FROM outbox WHERE receiver = ? AND subject = ? AND made_us > ?;

-- name: outbox_insert
INSERT INTO outbox (receiver, news, subject, members, count, state, open, due_us, made_us, changed_us, unanswered_us, rung)
VALUES (?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?, ?, ?) RETURNING id;

-- name: outbox_join
-- Who looked after what it told before does not look after what joins.
UPDATE outbox SET members = ?, count = ?, due_us = ?, unanswered_us = ?, changed_us = ?, version = version + 1,
    answered_by = '', answered_us = NULL WHERE id = ?;

-- name: outbox_copies
-- What a receiver has of a class and subject already.
SELECT id, members, count FROM outbox
    WHERE receiver = ? AND news = ? AND subject = ? AND state IN ('waiting', 'sent') AND leaving = 0 ORDER BY id DESC LIMIT 20;

-- name: outbox_tells
-- The message of a class by which a receiver is, or will be, told of a run; NULL: there is none.
SELECT max(o.id) FROM outbox_run r JOIN outbox o ON o.id = r.message
    WHERE r.run = ? AND o.receiver = ? AND o.news = ? AND o.state IN ('waiting', 'sent') AND o.leaving = 0;

-- name: outbox_asks
-- Whether a receiver is, or will be, told of a request of a run.
SELECT EXISTS (SELECT 1 FROM outbox_run r JOIN outbox o ON o.id = r.message, json_each(o.members) one
    WHERE r.run = ? AND o.receiver = ? AND o.news = 'needs_approval' AND o.state IN ('waiting', 'sent')
    AND o.leaving = 0 AND json_extract(one.value, '$.approval') = ?);

-- name: outbox_failed_in_place
-- What a message asked for came to something that somebody has to look after, whoever looked after it before: who has a copy reads that too;
-- the time in which it has to be answered is that of one of them.
UPDATE outbox SET answered_by = '', answered_us = NULL, changed_us = ?, version = version + 1,
    unanswered_us = CASE WHEN id = ? THEN min(coalesce(unanswered_us, ?), coalesce(?, unanswered_us)) ELSE unanswered_us END
WHERE news = 'needs_approval' AND state IN ('waiting', 'sent') AND id IN (SELECT message FROM outbox_run WHERE run = ?);

-- name: outbox_run_insert
INSERT INTO outbox_run (run, message) VALUES (?, ?) ON CONFLICT DO NOTHING;

-- name: outbox_touch_run
-- Messages that tell of a run are looked at again; what waits for its time, or for a channel that failed, does not go before it.
UPDATE outbox SET version = version + 1, changed_us = ?,
    due_us = CASE WHEN state = 'sent' AND tries = 0 THEN min(coalesce(due_us, ?), ?) ELSE due_us END
WHERE id IN (SELECT message FROM outbox_run WHERE run = ?) AND state IN ('waiting', 'sent');

-- name: outbox_touch_alert
-- The same for an alert that fires no more, of what somebody may still do something with.
UPDATE outbox SET version = version + 1, changed_us = ?, due_us = CASE WHEN tries = 0 THEN min(coalesce(due_us, ?), ?) ELSE due_us END
WHERE state = 'sent' AND form <> '-' AND news IN ('needs_approval', 'failed', 'unknown', 'not_done') AND id IN (
    SELECT told.message FROM run_alert ra JOIN outbox_run told ON told.run = ra.run WHERE ra.source = ? AND ra.key = ?);

-- name: outbox_touch_subject
-- The same for all that tell of a thing which is over: nothing joins them any more.
UPDATE outbox SET version = version + 1, changed_us = ?, open = 0,
    due_us = CASE WHEN state = 'sent' AND tries = 0 THEN min(coalesce(due_us, ?), ?) ELSE due_us END
WHERE subject = ? AND open = 1 AND state IN ('waiting', 'sent');

-- name: outbox_otherwise
-- What needs somebody and was told in another form, or elsewhere, than its receiver (a JSON object: receiver → [form, place]) has it now, by
-- the index of what is open.
SELECT o.* FROM json_each(?) f CROSS JOIN outbox o ON o.receiver = f.key AND (o.form <> json_extract(f.value, '$[0]')
    OR (o.place <> '' AND o.place <> json_extract(f.value, '$[1]')))
WHERE o.state = 'sent' AND o.form <> '-' AND o.leaving = 0 AND o.news IN ('needs_approval', 'failed', 'unknown', 'not_done') LIMIT ?;

-- name: outbox_touch_form
-- As `outbox_touch_run`, of one that was sent.
UPDATE outbox SET form = coalesce(?, form), version = version + 1, changed_us = ?,
    due_us = CASE WHEN tries = 0 THEN min(coalesce(due_us, ?), ?) ELSE due_us END
WHERE id = ?;

-- name: outbox_leave
-- It stands where its receiver was before. Where another message takes its place nobody has to answer it any more.
UPDATE outbox SET leaving = 1, open = 0, tries = 0, error = '', failing_us = NULL, due_us = ?, changed_us = ?, version = version + 1,
    unanswered_us = CASE WHEN ? THEN NULL ELSE unanswered_us END
WHERE id = ?;

-- name: outbox_move
-- The same to be told where its receiver is now.
INSERT INTO outbox (receiver, news, subject, members, count, state, open, due_us, made_us, changed_us, unanswered_us, rung, answered_by, answered_us)
SELECT receiver, news, subject, members, count, 'waiting', open, ?, made_us, ?, unanswered_us, rung, answered_by, answered_us
    FROM outbox WHERE id = ? RETURNING id;

-- name: outbox_move_runs
INSERT INTO outbox_run (run, message) SELECT run, ? FROM outbox_run WHERE message = ?;

-- name: outbox_apart
-- Nothing joins what stands where a receiver was before: it is told where they are now.
UPDATE outbox SET open = 0 WHERE receiver = ? AND open = 1 AND state = 'sent' AND place <> '' AND place <> ?
    AND news IN ('breaker_open', 'paused', 'source_silent', 'storm');

-- name: outbox_refused
-- What somebody has to look after and a channel refused where its receiver (as above) was before.
SELECT o.* FROM json_each(?) f CROSS JOIN outbox o ON o.receiver = f.key AND o.place <> '' AND o.place <> json_extract(f.value, '$[1]')
WHERE o.state = 'failed' AND o.news IN ('failed', 'unknown', 'not_done') LIMIT ?;

-- name: outbox_placed
UPDATE outbox SET place = '' WHERE id = ?;

-- name: outbox_revive
-- It is told as if it had never been.
UPDATE outbox SET state = 'waiting', reference = NULL, shown = '', tries = 0, error = '', failing_us = NULL, due_us = ?, changed_us = ?
WHERE id = ?;

-- name: outbox_hurry
-- What waits for its next try where its receiver was before is tried at once.
UPDATE outbox SET due_us = ?, tries = 0, error = '', failing_us = NULL, place = ''
WHERE receiver = ? AND state = 'waiting' AND due_us IS NOT NULL AND tries > 0 AND place <> '' AND place <> ?;

-- name: outbox_adopt
-- What was told before anybody wrote down where is where its receiver is at the first look: of what may be told anew.
UPDATE outbox SET place = ? WHERE receiver = ? AND place = '' AND leaving = 0
    AND state = 'sent' AND form <> '-' AND news IN ('needs_approval', 'failed', 'unknown', 'not_done');

-- name: outbox_form
UPDATE outbox SET form = ? WHERE id = ?;

-- name: outbox_unsure
-- What it shows is not known any more: the next time it is sent, whatever it says.
UPDATE outbox SET shown = '' WHERE id = ?;

-- name: outbox_due
-- But for lanes (a JSON array: names of receivers, with U+001F behind them for what stands where they were before) that have something on
-- its way, or are not to be asked yet.
SELECT * FROM outbox WHERE due_us IS NOT NULL AND due_us <= ? AND state IN ('waiting', 'sent')
    AND receiver || CASE WHEN leaving THEN char(31) ELSE '' END NOT IN (SELECT value FROM json_each(?)) ORDER BY leaving, id LIMIT ?;

-- name: outbox_next
-- When there is something to do next, but for these lanes.
SELECT min(at) AS at FROM (SELECT min(due_us) AS at FROM outbox WHERE due_us IS NOT NULL AND state IN ('waiting', 'sent')
        AND receiver || CASE WHEN leaving THEN char(31) ELSE '' END NOT IN (SELECT value FROM json_each(?))
    UNION ALL SELECT min(unanswered_us) FROM outbox WHERE unanswered_us IS NOT NULL);

-- name: outbox_one
SELECT * FROM outbox WHERE id = ?;

-- name: outbox_sent
UPDATE outbox SET state = 'sent', reference = ?, shown = ?, form = ?, place = ?, sent_us = ?, changed_us = ?, tries = 0, error = '', failing_us = NULL,
    open = CASE WHEN ? THEN open ELSE 0 END, due_us = CASE WHEN version = ? THEN NULL ELSE due_us END
WHERE id = ? AND state IN ('waiting', 'sent');

-- name: outbox_later
UPDATE outbox SET tries = tries + 1, error = ?, due_us = ?, place = CASE WHEN reference IS NULL THEN coalesce(?, place) ELSE place END, failing_us = coalesce(failing_us, ?), changed_us = ? WHERE id = ? AND state IN ('waiting', 'sent');

-- name: outbox_end
-- What needs somebody and cannot be told here is for the next receiver at once.
UPDATE outbox SET state = ?, error = ?, place = coalesce(?, place), due_us = NULL, open = 0, changed_us = ?,
    unanswered_us = CASE WHEN leaving THEN unanswered_us WHEN unanswered_us IS NOT NULL AND ? THEN ? END
WHERE id = ? AND state IN ('waiting', 'sent');

-- name: outbox_drop
UPDATE outbox SET state = 'dropped', error = ?, due_us = NULL, open = 0, unanswered_us = NULL, changed_us = ?
WHERE id = ? AND (state IN ('waiting', 'failed') OR (tries > 0 AND state = 'sent'));

-- name: outbox_again
UPDATE outbox SET state = CASE WHEN reference IS NULL THEN 'waiting' ELSE 'sent' END, tries = 0, error = '', failing_us = NULL, due_us = ?, changed_us = ?
WHERE id = ? AND (state = 'failed' OR (tries > 0 AND state IN ('waiting', 'sent')));

-- name: outbox_answer
-- All that tell the same or less of it (each member of theirs is one of what was answered, and none of theirs was left out): who hears it
-- elsewhere is told who looks after it.
UPDATE outbox SET answered_by = ?, answered_us = ?, unanswered_us = NULL, changed_us = ?, version = version + 1,
    due_us = CASE WHEN state = 'sent' THEN ? ELSE due_us END
WHERE answered_us IS NULL AND EXISTS (
    SELECT 1 FROM outbox said WHERE said.id = ? AND said.news = outbox.news AND said.subject = outbox.subject
        AND (said.id = outbox.id OR said.members = outbox.members OR outbox.count = json_array_length(outbox.members))
        AND NOT EXISTS (
            SELECT 1 FROM json_each(outbox.members) one WHERE one.value NOT IN (SELECT value FROM json_each(said.members))));

-- name: outbox_unanswered
SELECT * FROM outbox WHERE unanswered_us IS NOT NULL AND unanswered_us <= ? ORDER BY unanswered_us, id LIMIT ?;

-- name: outbox_passed_on
UPDATE outbox SET unanswered_us = ?, due_us = CASE WHEN state IN ('waiting', 'sent') THEN ? END, changed_us = ?, version = version + 1 WHERE id = ?;

-- name: outbox_settle
UPDATE outbox SET unanswered_us = NULL, changed_us = ?, version = version + 1 WHERE id = ?;

-- name: outbox_list
SELECT * FROM outbox WHERE id < ? AND (? = '' OR state = ?) AND (? = '' OR receiver = ?)
    AND (? = 0 OR state = 'failed' OR tries > 0) ORDER BY id DESC LIMIT ?;

-- name: outbox_counts
-- For the status, of each receiver: how many wait, those that failed before among them, and were given up in the last day; why the last did.
SELECT receiver, sum(state = 'waiting') AS waiting, sum(tries > 0) AS retried, sum(state = 'failed' AND changed_us > ?) AS failed,
    max(CASE WHEN tries > 0 OR state = 'failed' THEN error END) AS error, max(sent_us) AS sent_us
FROM outbox WHERE due_us IS NOT NULL OR changed_us > ? GROUP BY receiver ORDER BY receiver;

-- name: outbox_left
-- What is on its way to receivers that are none of these (a JSON array): how many messages each.
SELECT receiver, count(*) AS count FROM outbox WHERE due_us IS NOT NULL AND state IN ('waiting', 'sent')
    AND receiver NOT IN (SELECT value FROM json_each(?)) GROUP BY receiver ORDER BY receiver;

-- name: outbox_forget_runs
DELETE FROM outbox_run WHERE message IN (SELECT id FROM outbox WHERE made_us < ? AND due_us IS NULL AND open = 0 ORDER BY id LIMIT ?);

-- name: outbox_forget
DELETE FROM outbox WHERE id IN (SELECT id FROM outbox o WHERE made_us < ? AND due_us IS NULL AND open = 0
    AND NOT EXISTS (SELECT 1 FROM outbox_run r WHERE r.message = o.id) ORDER BY id LIMIT ?);

-- name: run_still_fires
-- Whether an alert that a run is for fires still, in the same cycle; of one that is for none nobody can say that it is over.
SELECT NOT EXISTS (SELECT 1 FROM run_alert WHERE run = ?) OR EXISTS (
    SELECT 1 FROM run_alert ra JOIN alert a ON a.source = ra.source AND a.key = ra.key
    WHERE ra.run = ? AND a.status = 'firing' AND a.cycle = ra.cycle);

-- name: told_runs
-- What messages say of runs, by their ids (a JSON array).
SELECT r.id, r.state, r.reason, r.detail, r.rule, r.action, r.controller, r.kind, r.subject, r.parameters, r.dry_run, r.actor, r.changed_us,
    r.ended_us, (SELECT count(*) FROM attempt a WHERE a.run = r.id AND a.started_us IS NOT NULL) AS tries,
    NOT EXISTS (SELECT 1 FROM run_alert WHERE run = r.id) OR EXISTS (
        SELECT 1 FROM run_alert ra JOIN alert a ON a.source = ra.source AND a.key = ra.key
        WHERE ra.run = r.id AND a.status = 'firing' AND a.cycle = ra.cycle) AS fires
FROM run r WHERE r.id IN (SELECT value FROM json_each(?));

-- name: told_targets
SELECT run, target, value, state FROM run_target WHERE run IN (SELECT value FROM json_each(?)) ORDER BY run, target;

-- name: told_alerts
SELECT DISTINCT a.source, a.name, a.target, a.status, a.opened_us, a.closed_us, a.summary FROM run_alert ra
JOIN alert a ON a.source = ra.source AND a.key = ra.key
WHERE ra.run IN (SELECT value FROM json_each(?)) AND a.cycle = ra.cycle ORDER BY a.opened_us LIMIT 4;

-- name: told_history
-- How a rule's runs of an action ended since then.
SELECT count(*) AS ended, coalesce(sum(state = 'succeeded'), 0) AS succeeded,
    max(coalesce(ended_us, changed_us)) AS last_us FROM run
WHERE rule = ? AND action = ? AND created_us > ? AND state IN ('succeeded', 'failed', 'timed_out', 'unknown') AND dry_run = 0;

-- name: told_attempt
-- The last attempt that took effect.
SELECT number, state, outcome, stdout_hash, stderr_hash FROM attempt WHERE run = ? AND started_us IS NOT NULL ORDER BY number DESC LIMIT 1;

-- name: told_next
-- The first record of a kind behind another record.
SELECT record FROM audit WHERE kind = ? AND seq > ? ORDER BY seq LIMIT 1;

-- name: told_last
-- The last record of a kind.
SELECT record FROM audit WHERE kind = ? ORDER BY seq DESC LIMIT 1;

-- name: told_record
SELECT record FROM audit WHERE seq = ?;
