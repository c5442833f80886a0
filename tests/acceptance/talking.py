"""A daemon as `test_api_machine.py` talks with it: requests, what they are to be answered, and all that can be read beside the model."""

from __future__ import annotations

import itertools
import time
from typing import Any

import foreseen
from foreseen import OPEN, Run

COUNT = itertools.count(1)


class Talks(foreseen.Model):
    """`timeline`: what the audit has said so far; `seen`: its last record; `effects`: how many there were before."""

    def __init__(self, files: foreseen.Project) -> None:
        foreseen.Model.__init__(self, files)
        self.daemon = files.daemon
        self.name = next(COUNT)
        self.timeline = foreseen.Timeline()
        self.seen = int(self.daemon.get("/audit/head")[1]["size"]) - 1
        self.effects = len(self.effects_of_all())

    def effects_of_all(self) -> list[str]:
        """The token of each job that the controller began, in their order."""
        file = self.daemon.base / "far/effects"
        return file.read_text().split() if file.exists() else []

    def records(self) -> list[dict[str, Any]]:
        """What the audit has had since the last step."""
        found = self.daemon.get(f"/audit?limit=500&after={self.seen}")[1]["items"]
        return [
            one for one in found if one["kind"] != "review_refused"
        ]  # that a word was refused, which has done nothing

    def say(self, key: str, path: str, body: Any, wanted: int, kind: str = "") -> Any:
        """A request: answered as predicted; what it did is in the audit once, by whom; refused it has done nothing."""
        status, answer = self.daemon.ask("POST", path, body, key=foreseen.KEYS[key])
        assert status == wanted, (key, path, body, answer)
        records = [one for one in self.records() if one["kind"] not in foreseen.ASIDE]
        did = [(one["kind"], one["actor"]) for one in records if one["kind"] in foreseen.PEOPLES]
        assert did == ([(kind, foreseen.actor(key))] if kind else []), (path, did)
        assert status < 400 or not records, (path, records)
        return answer

    def settle(self) -> None:
        """Wait until each run is in a state in which it may stay; that is the one it has."""
        end = time.monotonic() + 30
        while wrong := self.wrong(self.listed()):
            assert time.monotonic() < end, wrong

    def listed(self) -> dict[str, dict[str, Any]]:
        """The runs of this example, as the list has them."""
        return {one["id"]: one for one in self.daemon.get("/runs?limit=100")[1]["items"] if one["id"] in self.runs}

    def decided(self, event: str) -> list[dict[str, Any]]:
        """What an event led to."""
        end = time.monotonic() + 30
        while not (shown := self.daemon.get(f"/events/{event}")[1])["decided"]:
            assert time.monotonic() < end, shown
        return list(shown["decisions"])

    def made(
        self, decisions: list[dict[str, Any]], action: str, host: str, *, asker: str = "cy", alert: str = ""
    ) -> Run:
        """The new run of an event."""
        (decision,) = decisions
        assert decision["run"] not in self.runs
        run = self.runs[decision["run"]] = Run(decision["run"], action, host, asker, alert)
        return run

    def send(self, key: str, action: str, host: str, status: str) -> list[dict[str, Any]]:
        """What is said of an alert, and what that led to."""
        return self.decided(
            self.daemon.event({"alert": {"name": action, "target": host, "key": key, "status": status}})
        )

    def token(self, run: Run) -> str:
        """Of its last attempt."""
        return str(self.daemon.get(f"/runs/{run.id}")[1]["attempts"][-1]["token"])

    def look(self) -> None:
        """All that can be read says the same, and is what the model says; the audit has every step, and each is one that may be."""
        was = {run.id: run.state for run in self.runs.values()}
        end = time.monotonic() + 30
        while True:
            self.settle()
            for record in (records := self.records()):
                self.timeline.add(record, self.runs)
            self.seen = records[-1]["seq"] if records else self.seen
            told = {one: (self.timeline.now[one], run.state) for one, run in self.runs.items()}
            if all(audit == state for audit, state in told.values()):
                break
            assert time.monotonic() < end, told  # what waits its turn may have been looked at meanwhile
        begun = self.effects_of_all()[self.effects :]
        assert len(begun) == len({*begun})
        assert {*begun} <= self.timeline.began
        while different := self.different(was):  # why a run waits its turn may yet change
            assert time.monotonic() < end, different
        self.look_at_requests()
        self.look_at_alerts()
        assert {one["scope"] for one in self.daemon.get("/pauses")[1]["items"]} == self.paused

    def different(self, was: dict[str, str]) -> list[Any]:
        """What the list says of runs that are open, or were, and the run itself does not."""
        found = []
        for one, item in self.listed().items():
            if {self.runs[one].state, was.get(one)} & OPEN:
                shown = self.daemon.get(f"/runs/{one}")[1]
                short = shown | {
                    "attempts": len(shown["attempts"]),
                    "targets": [each["target"] for each in shown["targets"]],
                }
                found += [
                    (one, name, item[name], short[name])
                    for name in item
                    if name != "last" and item[name] != short[name]
                ]
        return found

    def look_at_requests(self) -> None:
        """Those that are open are those of the runs that wait for a person, with the words that count."""
        items = {one["run"]: one for one in self.daemon.get("/approvals?limit=100")[1]["items"]}
        assert {*items} == {run.id for run in self.runs.values() if run.state == "awaiting_approval"}
        for run, item in items.items():
            shown = self.daemon.get(f"/approvals/{item['id']}")[1]
            assert {name: shown[name] for name in item} == item
            assert {one["person"] for one in item["reviews"]} == {*self.runs[run].said}
            assert item["needs"][0]["have"] == len(self.runs[run].said)
            assert item["id"] == self.timeline.request[run]
            assert (item["author"] or "") == self.files.author_of(self.runs[run])

    def look_at_alerts(self) -> None:
        """The last cycle of each: whether it fires, and the states of its runs."""
        items = {
            one["key"]: one
            for one in self.daemon.get("/alerts?limit=100")[1]["items"]
            if one["key"].endswith(f" in {self.name}")
        }
        assert {key: one["status"] for key, one in items.items()} == {
            **dict.fromkeys(self.closed, "resolved"), **dict.fromkeys(self.firing, "firing"),
        }  # fmt: skip
        for one in [one for item in items.values() for one in item["runs"]]:
            assert one["state"] == self.runs[one["id"]].state

    def leave(self) -> None:
        """Nothing of this example holds the next."""
        for run in self.listed():
            self.daemon.post(f"/runs/{run}/resolve", {"state": "failed", "reason": "the end"})
            self.daemon.post(f"/runs/{run}/cancel", {})
        end = time.monotonic() + 30
        while [one for one in self.listed().values() if one["state"] in OPEN]:
            assert time.monotonic() < end
        for one in self.daemon.get("/pauses")[1]["items"]:
            self.daemon.post("/resume", {"scope": one["scope"]})
        for scope in self.ramps:  # where nothing waits they end with the next pause
            self.daemon.post("/pause", {"scope": scope})
            self.daemon.post("/resume", {"scope": scope})
        if self.files.restore():
            self.daemon.post("/reload", {})
