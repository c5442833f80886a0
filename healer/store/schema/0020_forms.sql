-- How what was told looked, as its channel says: buttons, or none. What is open is told anew where it looks otherwise now.
ALTER TABLE outbox ADD COLUMN form TEXT NOT NULL DEFAULT '';
