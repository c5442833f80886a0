-- Where the events of a delivery stand, as JSON, where the other one of a pair had brought some of them; else its rows are one behind the other.
ALTER TABLE delivery ADD COLUMN positions TEXT;
