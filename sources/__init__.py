"""The sources that ship with healer: one file is one plugin."""
