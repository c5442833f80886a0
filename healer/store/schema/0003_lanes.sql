-- Lanes: runs that take effect one after the other (a sequential ruleset, a lock of a rulebook), in the order of their turns.

ALTER TABLE run ADD COLUMN lane TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;      -- the journal row and the number of the decision in it
ALTER TABLE attempt ADD COLUMN lane TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
CREATE INDEX run_lane_chain ON run (lane, turn) WHERE lane <> '' AND state = 'deferred' AND reason = 'chain';
CREATE INDEX attempt_lane ON attempt (lane, turn) WHERE lane <> '' AND state = 'queued';
CREATE INDEX attempt_free ON attempt (severity, not_before_us) WHERE lane = '' AND state = 'queued';
CREATE INDEX attempt_again ON attempt (lane, turn) WHERE lane <> '' AND state = 'queued' AND number > 1;
CREATE INDEX attempt_later ON attempt (not_before_us) WHERE state = 'queued';
