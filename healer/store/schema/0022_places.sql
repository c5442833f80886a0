-- Where a message was told, as its channel says: '' of what was told before that was written down. What waits for a person is told anew where
-- its receiver is somewhere else since.
ALTER TABLE outbox ADD COLUMN place TEXT NOT NULL DEFAULT '';
