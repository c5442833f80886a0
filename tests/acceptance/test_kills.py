"""kill -9 under load, at places that are known: nothing that was answered 2xx is lost, nothing acts twice.

`KILLS=long` (`make crash`) makes the long plan of it and writes its table to the file that `KILL_REPORT` names.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import json
import os
import pathlib
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

SHORT: Final = [
    ("running", 2), ("claim-before-commit", 2), ("claim-after-commit", 2), ("finish-before-commit", 2), ("finish-after-commit", 2),
    ("accept-after-commit", 40), ("effect-before-folder", 2), ("take-up-after-commit", 1),
]  # fmt: skip
LONG: Final = [
    *[("running", n) for n in (1, 2, 3, 5, 8)], *[("claim-before-commit", n) for n in (1, 2, 3)],
    *[("claim-after-commit", n) for n in (1, 3, 5)], *[("finish-before-commit", n) for n in (1, 2, 3)],
    *[("finish-after-commit", n) for n in (1, 3, 5)], ("accept-before-commit", 30), ("accept-after-commit", 60),
    ("decide-before-commit", 4), ("decide-after-commit", 5), ("effect-before-folder", 2), ("effect-before-shim", 3),
    ("effect-after-shim", 4), ("take-up-before-commit", 1), ("take-up-after-commit", 2), *[("any", n) for n in range(4)],
]  # fmt: skip
"""(place, how many-th time there) of each kill. `running`: from outside, with that many attempts under way; `any`: whenever."""

POSTERS: Final = 4
PACE_S: Final = 0.02
HEALS_EACH: Final = 20
"""One event in so many starts a script."""


class Posters:
    """Post events all the time, each at a bounded rate, and remember what was answered 202: id → the event."""

    def __init__(self, daemon: Any) -> None:
        self.daemon = daemon
        self.accepted: dict[str, dict[str, Any]] = {}
        self.posted = 0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._post, args=[n], daemon=True) for n in range(POSTERS)]

    def start(self) -> None:
        """Begin; they go on while nobody listens."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all of them."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _post(self, number: int) -> None:
        count = 0
        while not self._over.wait(PACE_S):
            count += 1
            event = self._event(number, count)
            with contextlib.suppress(OSError, http.client.HTTPException, json.JSONDecodeError):
                status, answer = self.daemon.post("/events", event)
                if status == 202:
                    with self._lock:
                        self.accepted[answer["ids"][0]] = event
            self.posted += 1

    @staticmethod
    def _event(number: int, count: int) -> dict[str, Any]:
        mark = f"{number}-{count}"
        host = f"h{(count * POSTERS + number) % 300}"
        if count % HEALS_EACH:
            return {"mark": mark}
        if count % (2 * HEALS_EACH):
            return {"mark": mark, "heal": host}
        return {"mark": mark, "alert": {"name": "Broken", "target": host, "key": mark, "status": "firing"}}


class Kills:
    """The kills of a plan, one after the other, with a note of where each fell."""

    def __init__(self, daemon: Any, posters: Posters, wait_for: Callable[..., None]) -> None:
        self.daemon = daemon
        self.posters = posters
        self.wait_for = wait_for
        self.in_flight: set[str] = set()
        self.table: list[dict[str, Any]] = []
        self._random = random.Random(20)

    def one(self, place: str, times: int) -> None:
        """Start, come to the place, be killed there."""
        if place == "running":
            self.running(times)
            self.release()
        elif place == "any":
            self.whenever()
        elif place.startswith("take-up-"):
            self.running(times)
            self.at(place, times)
            self.release()
        else:
            self.at(place, times)

    def running(self, attempts: int) -> None:
        """From outside, while so many scripts have begun and wait."""
        self.daemon.hold.touch()
        before = len(self.daemon.lines())
        self.daemon.start()
        self.daemon.ready()
        self.wait_for(lambda: len(self.daemon.lines()) >= before + attempts, 120, f"{attempts} attempts under way")
        self.daemon.kill()
        self.fell("while attempts run")

    def release(self) -> None:
        """Let the scripts that wait end, each of them, while nobody follows them."""
        self.daemon.hold.unlink()
        self.wait_for(lambda: not self.daemon.children(), 120, "the scripts to end")

    def whenever(self) -> None:
        """From outside, after some more answers."""
        self.daemon.start()
        self.daemon.ready()
        until = len(self.posters.accepted) + self._random.randint(5, 80)
        self.wait_for(lambda: len(self.posters.accepted) >= until, 120, "more answers")
        self.daemon.kill()
        self.fell("at any moment")

    def at(self, place: str, times: int) -> None:
        """From inside."""
        before = len(self.daemon.said())
        self.daemon.start(crash=(place, times))
        self.daemon.came_up()  # a kill at start-up comes before
        assert self.daemon.ended() == -9, self.daemon.said()
        assert f"crashing: {place}\n" in self.daemon.said()[before:]
        self.fell(place.replace("-", " "))

    def fell(self, where: str) -> None:
        """Note what the store holds after the kill."""
        running = {run for (run,) in self.daemon.rows("SELECT run FROM attempt WHERE state = 'running'")}
        ((queued,),) = self.daemon.rows("SELECT count(*) FROM attempt WHERE state = 'queued'")
        ((rows,),) = self.daemon.rows("SELECT coalesce(max(seq), 0) FROM journal")
        ((decided,),) = self.daemon.rows("SELECT coalesce(max(seq), 0) FROM decision")
        self.in_flight |= running
        self.table.append({
            "where": where, "running": len(running), "queued": queued, "rows": rows, "last decision": decided,
            "accepted": len(self.posters.accepted),
        })  # fmt: skip


def test_kills_under_load(daemon: Any, wait_for: Callable[..., None]) -> None:
    posters = Posters(daemon)
    kills = Kills(daemon, posters, wait_for)
    daemon.start()
    daemon.ready()
    posters.start()
    daemon.kill()
    with contextlib.ExitStack() as stack:
        stack.callback(posters.stop)
        for place, times in LONG if os.environ.get("KILLS") == "long" else SHORT:
            kills.one(place, times)
        daemon.start()
        daemon.ready()
        until = len(posters.accepted) + 20
        wait_for(lambda: len(posters.accepted) >= until, 120, "life after the last kill")
    last = max(posters.accepted, key=lambda event: int(event[2:]))
    wait_for(lambda: daemon.get(f"/events/{last}")[1]["decided"], 120, "the last event to be decided")
    open_states = {"queued", "running", "deferred"}
    wait_for(lambda: not open_states & set(daemon.states()), 300, "all runs to end")
    found = judge(daemon, posters, kills)
    assert daemon.stop() == 0
    daemon.verified()
    report(kills, posters, found)


def judge(daemon: Any, posters: Posters, kills: Kills) -> dict[str, int]:
    """What was lost and what was doubled, and that it is nothing."""
    runs = {run["id"]: run for run in daemon.runs()}
    begun = collections.Counter(run for run, _ in daemon.lines())
    lost = [event for event, posted in posters.accepted.items() if not kept(daemon, event, posted, runs)]
    doubled = [run for run, times in begun.items() if times > 1]
    not_healed = {id_: run["state"] for id_, run in runs.items() if run["state"] != "succeeded"}
    assert not lost
    assert not doubled
    assert not not_healed
    assert set(begun) == set(runs)
    assert kills.in_flight <= set(runs)
    return {"runs": len(runs), "in flight at a kill": len(kills.in_flight), "lost": len(lost), "doubled": len(doubled)}


def kept(daemon: Any, event: str, posted: dict[str, Any], runs: dict[str, Any]) -> bool:
    """Whether an accepted event is there as it was sent, decided, and with its run where it asks for one."""
    status, row = daemon.get(f"/events/{event}")
    wants_run = "heal" in posted or "alert" in posted
    led_to = [decision["run"] for decision in row.get("decisions", [])]
    return status == 200 and row["event"] == posted and row["decided"] and (not wants_run or led_to[0] in runs)


def report(kills: Kills, posters: Posters, found: dict[str, int]) -> None:
    """The table of the kills, into the file KILL_REPORT where that is set."""
    if named := os.environ.get("KILL_REPORT"):
        pathlib.Path(named).write_text("\n".join(lines(kills, posters, found)) + "\n", encoding="utf-8")


def lines(kills: Kills, posters: Posters, found: dict[str, int]) -> Iterator[str]:
    """Markdown."""
    running = sum(row["running"] > 0 for row in kills.table)
    flight = sum(row["where"].startswith(("claim", "finish")) for row in kills.table)
    yield "# kill -9 under load"
    yield ""
    yield "`make crash` writes this page: a daemon under load is killed again and again, at places that are known."
    yield ""
    yield (
        f"{len(kills.table)} kills, {running} of them while attempts ran, {flight} while a claim or a finish was in flight. "
        f"{posters.posted} events posted, {len(posters.accepted)} answered 202; {found['runs']} runs, "
        f"{found['in flight at a kill']} of them under way at a kill: all ended `succeeded`, each effect took place once. "
        f"Lost: {found['lost']}. Doubled: {found['doubled']}. `healer audit verify`: whole."
    )
    yield ""
    yield "| # | where it fell | attempts running | queued | journal rows | last decision | answered so far |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for n, row in enumerate(kills.table, 1):
        yield f"| {n} | {' | '.join(str(value) for value in row.values())} |"
