"""The controllers that ship with healer: one file is one plugin."""
