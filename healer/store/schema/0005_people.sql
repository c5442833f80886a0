-- What people ask of attempts: that they end. It is on disk before anything is stopped, so that a crash forgets no one's word.

ALTER TABLE attempt ADD COLUMN cancel_by TEXT;             -- who asked for its end; NULL: nobody
ALTER TABLE attempt ADD COLUMN cancel_us INTEGER;
ALTER TABLE attempt ADD COLUMN cancel_reason TEXT;
