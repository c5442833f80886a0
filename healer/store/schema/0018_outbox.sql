-- What people are told: one row a receiver and thing. Made in one transaction with the place up to which the audit was followed, so that
-- nothing is left out and nothing told twice by us; what changes later changes the same message.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    receiver TEXT NOT NULL,
    news TEXT NOT NULL,                      -- the class: needs_approval, failed, …
    subject TEXT NOT NULL,                   -- what it is about: what is of one subject and may still join comes into one message
    members TEXT NOT NULL,                   -- JSON: [{"seq", "run", "approval"}], the last ones
    count INTEGER NOT NULL,                  -- of all members
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed', 'dropped')),
    open INTEGER NOT NULL,                   -- 1: what comes of the same subject joins it
    due_us INTEGER,                          -- when it is sent or changed next; NULL: nothing to do
    tries INTEGER NOT NULL DEFAULT 0,        -- since it last went well
    error TEXT NOT NULL DEFAULT '',
    failing_us INTEGER,                      -- since when it cannot be delivered; NULL: it could
    reference TEXT,                          -- under which its channel has it
    shown TEXT NOT NULL DEFAULT '',          -- digest of what was sent last: the same is not sent again
    made_us INTEGER NOT NULL,
    sent_us INTEGER,
    version INTEGER NOT NULL DEFAULT 0,      -- one more with each change
    changed_us INTEGER NOT NULL,
    unanswered_us INTEGER,                   -- from when on it is for the next receiver; NULL: it is not
    rung INTEGER NOT NULL DEFAULT 0,         -- how many receivers of an escalation had it before
    answered_by TEXT NOT NULL DEFAULT '',
    answered_us INTEGER
);
CREATE INDEX outbox_due ON outbox (due_us) WHERE due_us IS NOT NULL;
CREATE INDEX outbox_subject ON outbox (subject, receiver, id);
CREATE INDEX outbox_unanswered ON outbox (unanswered_us) WHERE unanswered_us IS NOT NULL;
CREATE INDEX outbox_made ON outbox (made_us);

CREATE TABLE outbox_run (                    -- which messages tell of a run: each change of it may change them
    run TEXT NOT NULL,
    message INTEGER NOT NULL REFERENCES outbox (id),
    PRIMARY KEY (run, message)
) WITHOUT ROWID;
CREATE INDEX outbox_run_message ON outbox_run (message);

CREATE TABLE followed (                      -- one row: the first record of the audit that people were not told of yet
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL
);
