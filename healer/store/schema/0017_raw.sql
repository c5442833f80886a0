-- The request that brought nothing but this row, byte for byte, where it is small: beside the row it costs no search by hash.
ALTER TABLE journal ADD COLUMN raw BLOB;
-- What a redundant pair of senders would both say: known again for a minute, also by the next process.
ALTER TABLE journal ADD COLUMN repeat TEXT;
