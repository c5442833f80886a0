-- The request that brought nothing but this row, byte for byte, where it is small: beside the row it costs no search by hash.
ALTER TABLE journal ADD COLUMN raw BLOB;
