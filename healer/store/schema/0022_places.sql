-- Where a message was told, or refused, as its channel says: '' of what was told before that was written down. Where its receiver is somewhere
-- else since, what waits for a person is another message there, and this one is left: it is changed once more, to offer nothing.
ALTER TABLE outbox ADD COLUMN place TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN leaving INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_refused ON outbox (receiver) WHERE state = 'failed' AND news IN ('failed', 'unknown', 'not_done');
CREATE INDEX outbox_open ON outbox (receiver) WHERE open = 1;
