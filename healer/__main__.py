"""`python -m healer`: the command line without its entry point, for a tree that is not installed on the PATH."""

from __future__ import annotations

from healer import cli

if __name__ == "__main__":
    cli.main()
