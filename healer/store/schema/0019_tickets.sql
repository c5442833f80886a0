-- Links by which one person decides one request.

CREATE TABLE ticket_key (                    -- one row: what they are signed with, made once and never shown
    one INTEGER PRIMARY KEY CHECK (one = 1),
    key BLOB NOT NULL CHECK (length(key) = 32),
    made_us INTEGER NOT NULL
);

CREATE TABLE ticket_used (                   -- those that said their word; one that is over is refused anyway, and goes
    digest TEXT PRIMARY KEY,                 -- SHA-256 of the ticket
    approval TEXT NOT NULL,
    person TEXT NOT NULL,
    used_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX ticket_used_expires ON ticket_used (expires_us);
