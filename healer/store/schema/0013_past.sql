-- What the engine remembered at earlier times, so that an event of the past can be explained as its rules saw it.

CREATE TABLE past (
    part INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    revision INTEGER NOT NULL REFERENCES revision (n),
    oldest INTEGER NOT NULL,                 -- the oldest position that it refers to
    size INTEGER NOT NULL,                   -- characters of `data`
    at_us INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (part, seq)
);
