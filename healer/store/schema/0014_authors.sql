-- Who changed the rule of a request last ('' where that is not known); null where its approvals let its author say yes.
ALTER TABLE approval ADD COLUMN author TEXT;
