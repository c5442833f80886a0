-- Of what was told only that which somebody may still do something with is looked at for its form: `-` is the form of all else.
CREATE INDEX outbox_form ON outbox (receiver, form)
    WHERE state = 'sent' AND form <> '-' AND news IN ('needs_approval', 'failed', 'unknown', 'not_done');
