"""What people and files change is in the audit of a real daemon, with what was and what is: by a reload, by a start, while nobody ran."""

from __future__ import annotations

import os
import pwd
from typing import Any

ME = f"os:{pwd.getpwuid(os.getuid()).pw_name}"


def records(daemon: Any, kind: str) -> list[Any]:
    """(who, the difference) of each record of a kind, the oldest first."""
    found = daemon.get(f"/audit?kind={kind}&order=asc")[1]["items"]
    return [(one["actor"], one["difference"]) for one in found]


def change(daemon: Any, name: str, old: str, new: str) -> None:
    text = (daemon.project / name).read_text()
    assert old in text
    (daemon.project / name).write_text(text.replace(old, new))


def reload(daemon: Any) -> None:
    told = daemon.healer("reload", "--yes")
    assert told.returncode == 0, told.stderr


def test_a_change_of_the_mode_is_told_however_it_came(daemon: Any) -> None:
    daemon.start()
    daemon.ready()
    ((actor, first),) = records(daemon, "settings")
    assert (actor, first["mode"]) == ("daemon", {"after": "active"})
    change(daemon, "healer.yaml", "mode: active", "mode: observe")
    reload(daemon)
    observed = {"mode": {"before": "active", "after": "observe"}}
    assert records(daemon, "settings")[1:] == [(ME, observed)]
    assert records(daemon, "revision")[-1][1]["mode"] == observed["mode"]

    daemon.stop()
    daemon.start("--mode", "active")  # of the same files
    daemon.ready()
    assert records(daemon, "settings")[2:] == [("daemon", {"mode": {"before": "observe", "after": "active"}})]
    daemon.stop()
    daemon.variables["HEALER_MODE"] = "observe"
    daemon.start()
    daemon.ready()
    assert records(daemon, "settings")[3:] == [("daemon", observed)]
    assert len(records(daemon, "revision")) == 2
    daemon.verified()


def test_a_change_of_each_file_is_told_with_what_it_changes(daemon: Any) -> None:
    daemon.start()
    daemon.ready()
    before = daemon.get("/status")[1]["revision_id"]
    change(daemon, "controllers.yaml", "there: {type: local", "there: {type: local, concurrency: 2")
    change(daemon, "actions.yaml", "timeout: 5 minutes", "timeout: 6 minutes")
    change(daemon, "rulebooks/healing.yml", "event.heal is defined", "event.heal is defined and event.x is not defined")
    reload(daemon)
    assert records(daemon, "settings")[1:] == [
        (ME, {"controllers.there": {"changed": True}, "actions.heal": {"changed": True}})
    ]
    (actor, told) = records(daemon, "revision")[-1]
    assert (actor, told["before"]) == (ME, before)
    assert told["files"] == {
        "added": [],
        "removed": [],
        "changed": ["actions.yaml", "controllers.yaml", "rulebooks/healing.yml"],
    }
    assert told["rules"]["restarted"] == ["healing/healing/asked"]

    held = daemon.get("/status")[1]["revision_id"]
    daemon.stop()  # what changes while nobody runs is told by the next start
    change(daemon, "actions.yaml", "timeout: 6 minutes", "timeout: 7 minutes")
    daemon.write(
        "healer.yaml", (daemon.project / "healer.yaml").read_text() + "policies: [{name: night, cooldown: 1h}]\n"
    )
    daemon.write("playbooks/more.yml", "[]\n")
    daemon.start()
    daemon.ready()
    (actor, told) = records(daemon, "revision")[-1]
    assert (actor, told["before"]) == ("daemon", held)
    assert told["files"] == {"added": ["playbooks/more.yml"], "removed": [], "changed": ["actions.yaml", "healer.yaml"]}
    (actor, told) = records(daemon, "settings")[-1]
    assert (actor, told["actions.heal"]) == ("daemon", {"changed": True})
    assert told["policies.night"]["before"] is None
    assert '"cooldown": 3600' in told["policies.night"]["after"]
    assert told.keys() == {"actions.heal", "policies.night"}
    daemon.verified()


def test_a_reload_that_makes_nothing_hold_is_told_too(daemon: Any) -> None:
    daemon.start()
    daemon.ready()
    reload(daemon)
    (daemon.project / "actions.yaml").write_text("actions: [}")
    assert daemon.healer("reload", "--yes").returncode != 0
    daemon.healer("reload", "--preview")
    found = daemon.get("/audit?kind=reload&order=asc")[1]["items"]
    assert [(one["actor"], one["state"]) for one in found] == [(ME, "unchanged"), (ME, "refused")]
    assert found[1]["mistakes"][0].startswith("yaml actions.yaml:")


def test_the_mode_of_an_activation_is_told_before_and_after(daemon: Any) -> None:
    listed = "activations: [{name: heal, rulebook: rulebooks/healing.yml, mode: observe}]\n"
    settings = (daemon.project / "healer.yaml").read_text()
    daemon.write("healer.yaml", settings + listed)
    daemon.start()
    daemon.ready()
    daemon.write("healer.yaml", settings + listed.replace("observe", "active"))
    assert "activations.heal.mode: observe → active" in daemon.healer("reload", "--preview").stdout
    reload(daemon)
    told = {"activations.heal.mode": {"before": "observe", "after": "active"}}
    (_, last) = records(daemon, "settings")[-1]
    assert last | told == last
    assert records(daemon, "revision")[-1][1]["settings"] == told
