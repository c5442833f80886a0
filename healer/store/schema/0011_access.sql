-- Whose a key is, and who may what.

ALTER TABLE api_key ADD COLUMN principal TEXT NOT NULL DEFAULT '';    -- a name of healer.yaml; '': nobody's in particular
-- api_key.role is '' for a key that has the roles of its principal. review.role has all roles of a person at that moment, with a space
-- between two.

CREATE TABLE access (                        -- one row: the roles and principals that the audit has told of last
    one INTEGER PRIMARY KEY CHECK (one = 1),
    holds TEXT NOT NULL                      -- JSON
);
