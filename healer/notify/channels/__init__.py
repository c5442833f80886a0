"""The channels that ship: one file is one. Asked for by name of `healer.plugins`, as any plugin."""
