"""The webhook formats that ship with healer: one file is one format."""
