-- For which decision of its run a request is: that of the run's turn then. Those from before count for none.
ALTER TABLE approval ADD COLUMN turn INTEGER NOT NULL DEFAULT -1;
