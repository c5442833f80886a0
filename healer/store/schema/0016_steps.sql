-- The steps behind a chain's first run that its request is about too: a JSON list of {run, turn, digest, action}.
ALTER TABLE approval ADD COLUMN steps TEXT NOT NULL DEFAULT '[]';
