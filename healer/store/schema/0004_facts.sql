-- The last facts that were gathered of a host are found to be replaced.

CREATE INDEX journal_facts ON journal (source, seq) WHERE kind = 'fact';
