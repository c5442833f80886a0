"""The checks that ship with healer: one file is one plugin, for the source `check` and for `check:` of actions and `verify`."""
