"""The audit, pure: what a record is, how records chain and form a tree, and how they are verified."""
