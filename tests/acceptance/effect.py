"""What the crash matrix heals with: `effect.py EFFECTS DATABASE HOLDS ACTION`, a child of the daemon.

Writes a line `ACTION TOKEN TARGET STATE INTENTS`: the state that the store has for its attempt at that moment, and how many records of
the audit announce it. Then it waits for as long as the file HOLDS/TARGET is there. `flaky` fails the first time on a target.
"""

from __future__ import annotations

import os
import pathlib
import sqlite3
import sys
import threading

INTENTS = (
    'SELECT count(*) FROM audit WHERE instr(record, \'"kind":"intent"\') AND instr(record, \'"token":"\' || ? || \'"\')'
)
PAUSE_S = 0.02


def main() -> int:
    """One effect."""
    effects, database, holds, action = sys.argv[1:]
    token, target = os.environ["HEALER_TOKEN"], os.environ["HEALER_TARGET"]
    reading = sqlite3.connect(f"{pathlib.Path(database).as_uri()}?mode=ro", uri=True, timeout=30)
    (state,) = reading.execute("SELECT state FROM attempt WHERE token = ?", (token,)).fetchone() or ("none",)
    (intents,) = reading.execute(INTENTS, (token,)).fetchone()
    reading.close()
    with pathlib.Path(effects).open("ab+", buffering=0) as file:
        file.write(f"{action} {token} {target} {state} {intents}\n".encode())
        file.seek(0)
        before = sum(line.startswith(f"{action} ".encode()) and f" {target} ".encode() in line for line in file)
    while pathlib.Path(holds, target).exists():
        threading.Event().wait(PAUSE_S)
    return int(action == "flaky" and before == 1)


if __name__ == "__main__":
    sys.exit(main())
