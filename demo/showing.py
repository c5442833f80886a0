"""What `make demo` does: breaks two things on demonstration hosts, sends the alerts, watches the daemon heal them, shows why.

Caller: demo/demo, which has made .healer/demo. Everything shown is a command that a person could type; `curl` stands in for
Alertmanager and, as Alertmanager does, sends until it is answered 2xx. Exit 0: healed · 1: not healed · 3: no daemon answers.
"""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

DEMO: Final = pathlib.Path(".healer/demo")
ALERTS: Final = pathlib.Path("demo/alerts")
SERVICE: Final = "playbooks/files/demonstration_service.py"
DISK: Final = DEMO / "hosts/web01/disk"
SHOP: Final = DEMO / "hosts/web02/services/shop"
FILES: Final = 3
FILE_BYTES: Final = 5 << 20
LIMIT_BYTES: Final = 8 << 20
PATIENCE_S: Final = 90.0
LOOK_S: Final = 0.3
NO_DAEMON: Final = 3
NOT_CONNECTED: Final = 7
"""curl's exit code where nothing listens."""
ENDED: Final = (
    "succeeded",
    "failed",
    "timed_out",
    "refused",
    "cancelled",
    "unknown",
    "suppressed",
    "escalated",
    "withdrawn",
)
ACTED: Final = (*ENDED, "verifying")
"""What has been done, be it not yet known to have helped."""
NOT_AMONG_ENVIRONMENT: Final = "HEALER_"
"""Settings of the person at the terminal would lead the commands to another daemon."""


class NotHealed(Exception):
    """What did not come about, for the person, and what to do; said as the commands say their errors."""

    code = "not-healed"
    exit_code = 1

    def __init__(self, said: str, try_: str = "") -> None:
        super().__init__(said)
        self.try_ = try_


class NoDaemon(NotHealed):
    """Nobody answers."""

    code = "not-running"
    exit_code = NO_DAEMON


# --- showing ------------------------------------------------------------------------------------------------------------


def paint(code: str, text: str) -> str:
    """The text in a colour where a terminal shows it."""
    return f"\x1b[{code}m{text}\x1b[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def title(text: str) -> None:
    """What comes next."""
    print(f"\n{paint('1;36', '── ' + text)}", flush=True)


def environment() -> dict[str, str]:
    """That of the commands."""
    return {name: value for name, value in os.environ.items() if not name.startswith(NOT_AMONG_ENVIRONMENT)}


def show(*command: str | pathlib.Path, fails: bool = False) -> None:
    """Run a command as a person would type it. Raises `NotHealed` unless it ends well, or is known to fail."""
    words = [str(word) for word in command]
    print(paint("1;33", f"$ {shlex.join(words)}"), flush=True)
    code = subprocess.run(words, env=environment(), stderr=subprocess.STDOUT, check=False).returncode
    if (code != 0) != fails:
        raise NotHealed(f"{shlex.join(words)} ended with {code}")


def asked(*command: str) -> Any:
    """What `healer … --json` answers, of a list its items; None while no daemon does."""
    done = subprocess.run(
        ["healer", *command, "--json"], env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode == NO_DAEMON:
        return None
    if done.returncode != 0:
        raise NotHealed(done.stderr.strip())
    found = json.loads(done.stdout)
    return found.get("items", found)


def waited(what: str, look: Any) -> Any:
    """The first answer of `look` that is one. Raises `NotHealed` when it takes too long."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(LOOK_S)
    raise NotHealed(f"waited {PATIENCE_S:.0f} s in vain for {what}")


# --- the demonstration hosts --------------------------------------------------------------------------------------------


def service(word: str, folder: pathlib.Path = SHOP) -> str:
    """Starts, stops or looks at the service of a demonstration host; what it says."""
    done = subprocess.run([sys.executable, SERVICE, word, folder], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def disk_bytes() -> int:
    """What lies on the disk."""
    return sum(path.stat().st_size for path in DISK.iterdir() if path.is_file())


def show_hosts(broken: bool) -> None:
    """The disk and the service as they are."""
    port = (SHOP / "port").read_text().strip()
    show("du", "--apparent-size", "-sh", DISK)
    print(f"(its limit is {LIMIT_BYTES >> 20}M)")
    show("curl", "--silent", "--show-error", "--noproxy", "*", f"http://127.0.0.1:{port}/health", fails=broken)


def break_things() -> None:
    """The disk of web01 over its limit; the service of web02 killed."""
    service("start")
    before = service("status")
    for number in range(FILES):
        path = DISK / f"access.log.{number}"
        path.write_bytes(b"\0" * FILE_BYTES)
        old_s = time.time() - 86_400 * (number + 1)
        os.utime(path, (old_s, old_s))
    service("stop")
    print(f"the disk of web01 was filled; the service shop on web02 ({before}) was stopped")


# --- alerts -------------------------------------------------------------------------------------------------------------


def body(name: str, status: str, started: str) -> pathlib.Path:
    """The body of a delivery as Alertmanager makes it, from demo/alerts/, with times of now."""
    made = json.loads((ALERTS / f"{name}.json").read_text())
    made["status"] = status
    for alert in made["alerts"]:
        alert["status"], alert["startsAt"] = status, started
        if status == "resolved":
            alert["endsAt"] = now()
    path = DEMO / "sent" / f"{name}_{status}.json"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(json.dumps(made))
    return path


def now() -> str:
    """As Alertmanager writes it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def send(path: pathlib.Path, port: str, quiet: bool = False) -> dict[str, Any]:
    """POST it until it is answered 2xx, as Alertmanager does. The token goes by a file: a command line can be seen by others."""
    url = f"http://127.0.0.1:{port}/hooks/alertmanager"
    header = DEMO / "alertmanager.header"
    header.write_text(f"Authorization: Bearer {(DEMO / 'alertmanager.token').read_text()}\n")
    command = [
        "curl", "--silent", "--show-error", "--fail-with-body", "--noproxy", "*", "--max-time", "20", "-H", f"@{header}",
        "-H", "Content-Type: application/json", "--data-binary", f"@{path}", url,
    ]  # fmt: skip
    if not quiet:
        print(
            paint("1;33", f"$ curl -H @{header} -H 'Content-Type: application/json' --data-binary @{path} {url}"),
            flush=True,
        )

    def answered() -> Any:
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        if done.returncode == 22:  # an answer, and not 2xx
            raise NotHealed(f"the daemon refused {path}: {done.stdout.strip()}")
        # It opens its port before its socket: where it answers there and nothing listens here, this is not its port.
        if done.returncode == NOT_CONNECTED and asked("status") is not None:
            raise NotHealed(f"nothing listens at {url}, and the daemon answers", "PORT=… make demo  sends to its port")
        return json.loads(done.stdout) if done.returncode == 0 else None

    answer: dict[str, Any] = waited(f"an answer of {url} (PORT=… make demo sends elsewhere)", answered)
    if not quiet:
        print(json.dumps(answer), flush=True)
    return answer


def close_earlier(port: str) -> None:
    """An alert that an interrupted demonstration left firing would only be told again: resolve it first."""
    for alert in asked("alerts", "--status", "firing", "--source", "alertmanager") or ():
        for name in ("disk_full", "service_down", "unknown_host"):
            if json.loads((ALERTS / f"{name}.json").read_text())["alerts"][0]["fingerprint"] == alert.get("key"):
                send(body(name, "resolved", now()), port, quiet=True)


# --- runs ---------------------------------------------------------------------------------------------------------------


def ended(events: Sequence[str], states: Sequence[str] = ENDED) -> list[dict[str, Any]]:
    """The runs of these events, in that order, once all have one of these states. Says each new state."""
    told: dict[str, str] = {}
    silent = False

    def look() -> list[dict[str, Any]] | None:
        nonlocal silent
        found = asked("runs", "--since", "10m")
        if found is None and not silent:
            print(
                paint("33", "the daemon does not answer; once it is started again (make run) this goes on"), flush=True
            )
        silent = found is None
        mine = {run["event"]: run for run in found or () if run["event"] in events}
        for run in mine.values():
            if told.get(run["id"]) != run["state"]:
                told[run["id"]] = run["state"]
                on = ",".join(run["targets"]) or "–"
                line = f"{run['short']}  {run['action']:<16} {on:<12} {run['state']:<10} {run['sentence']}"
                print(line.rstrip(), flush=True)
        if len(mine) == len(events) and all(run["state"] in states for run in mine.values()):
            return [mine[event] for event in events]
        return None

    runs: list[dict[str, Any]] = waited("the runs to end", look)
    return runs


def demonstrate() -> None:
    """The whole of it. Raises `NotHealed`."""
    status = asked("status")
    if status is None:
        raise NoDaemon("no daemon answers", "make run  in another terminal")
    if status["mode"] != "active" or status["paused"]:
        raise NotHealed("the daemon is paused or observes, so that nothing would be healed", "healer status")
    recorded = DEMO / "port"
    port = os.environ.get("PORT") or (recorded.read_text().strip() if recorded.exists() else "8080")
    close_earlier(port)

    title("1. Two things break")
    break_things()
    show_hosts(broken=True)

    title("2. Alertmanager tells of them, and of a host that nobody knows")
    started = now()
    names = ("disk_full", "service_down", "unknown_host")
    sent = {name: send(body(name, "firing", started), port)["ids"][0] for name in names}

    title("3. healer acts: a script on web01, an Ansible playbook on web02")
    cleaned, restarted, refused = ended(list(sent.values()), ACTED)
    healed = {cleaned["state"], restarted["state"]} <= {"succeeded", "verifying"}
    if not healed or disk_bytes() > LIMIT_BYTES or not service("status").startswith("active"):
        try_ = f"healer explain {sent['disk_full']}  and  healer explain {sent['service_down']}"
        raise NotHealed("the disk or the service is not healed", try_)

    title("4. Healed")
    show_hosts(broken=False)
    tell(restarted)

    title("5. Alertmanager repeats itself: known already, nothing runs twice")
    repeat(send(body("service_down", "firing", started), port), restarted["id"])

    title("6. Why it acted")
    show("healer", "explain", sent["service_down"])
    title("7. Why it refused")
    show("healer", "explain", refused["short"])
    if refused["state"] != "refused":
        raise NotHealed(f"the run for the unknown host was {refused['state']}")

    title("8. Alertmanager tells that all is resolved: that verifies it")
    for name in names:
        send(body(name, "resolved", started), port, quiet=True)
    cleaned, restarted, _ = ended(list(sent.values()))
    if not cleaned["state"] == restarted["state"] == "succeeded":
        raise NotHealed("what was done is not verified", f"healer explain {cleaned['short']}")
    print(f"\n{paint('1;32', 'healed')}: the disk of web01 by {cleaned['short']}, shop on web02 by {restarted['short']}. "
          "Alertmanager has told that all is resolved.")  # fmt: skip


def repeat(answer: dict[str, Any], run: str) -> None:
    """Hold that a repeated alert started nothing: it was known at the door, or is a duplicate to the gates."""
    if answer["accepted"]:  # a daemon that was started since then does not know the delivery; the run it knows
        (event,) = answer["ids"]
        rule = waited(
            "the decision",
            lambda: [one for one in (asked("explain", event) or {}).get("rules", ()) if one.get("outcome")],
        )[0]
        print(f"{rule['rule']}: {rule['outcome']}. {rule['sentence']}")
    (found,) = [one for one in waited("the runs", lambda: asked("runs", "--since", "10m")) if one["id"] == run]
    if found["attempts"] != 1:
        raise NotHealed(f"the repeat started {run} again")


def tell(restarted: dict[str, Any]) -> None:
    """What the commands say of it."""
    show("healer", "status")
    show("healer", "alerts", "--status", "firing")
    show("healer", "runs", "--since", "2m")
    show("healer", "runs", "show", restarted["short"])
    show("healer", "runs", "show", restarted["short"], "--output")
    show("healer", "audit", "list", "--limit", "9")
    show("healer", "audit", "verify")


def main() -> int:
    """The exit code."""
    try:
        demonstrate()
    except NotHealed as error:
        print(f"{paint('1;31', f'error[{error.code}]')}: {error}", file=sys.stderr)
        if error.try_:
            print(f"  try  {error.try_}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
