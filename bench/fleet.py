"""A fleet: a hundred hosts over ssh beside `ansible -m script` and bare asyncssh, and five hundred runs at once in one daemon.

`make bench-fleet` runs it and writes docs/benchmarks-fleet.md. The hosts are the loopback's addresses, all served by one OpenSSH sshd
of this machine: what the far sides compute is in every figure, ours and theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import functools
import getpass
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import daemons
import lines
import machine

REPOSITORY: Final = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(REPOSITORY / "tests" / "controllers"))
import crowd  # noqa: E402
import ssh_site  # noqa: E402 - a real sshd, as the tests start it

PAGE: Final = REPOSITORY / "docs" / "benchmarks-fleet.md"
MEMORY: Final = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where the hundred hosts have their temporary files, for us and for ansible: a disk that a hundred machines share is slow in a way that
none of theirs is (ext4 passes over each inode that was freed in the last five seconds)."""
HOSTS: Final = 100
AT_ONCE: Final = 50
ROUNDS: Final = 7
PEER_ROUNDS: Final = 3
STARTS: Final = 30
SCRIPT: Final = '#!/bin/sh\nprintf \'{"done": "yes"}\\n\'\n'
NOW: Final = "#!/bin/sh\ndate +%s%N\n"
PRIVATE: Final = (
    "umask 077; f=$(mktemp) && IFS= read -r p && cat >$f && printf '%s\\n' \"$p\" | /bin/sh $f; c=$?; rm -f $f; exit $c"
)
"""The same work without us: a script as a private temporary file, its parameters on standard input, removed afterwards."""
ANSIBLE: Final = """\
[defaults]
forks = {forks}
host_key_checking = true
remote_tmp = {remote}
[ssh_connection]
transfer_method = sftp
ssh_args = -o ControlMaster=auto -o ControlPersist=120s -o UserKnownHostsFile={known} -o IdentityFile={key} -o IdentitiesOnly=yes
control_path_dir = {control}
"""


# --- a hundred hosts ----------------------------------------------------------------------------------------------------


async def hundred(site: ssh_site.Site) -> list[lines.Line]:
    """One script on each host: ours, bare asyncssh, ansible; cold and warm."""
    site.script("work.sh", SCRIPT)
    names = [f"127.0.0.{number}" for number in range(1, HOSTS + 1)]
    cold = [
        await _seconds(functools.partial(ours, site, site.made(fan_out=AT_ONCE), f"cold-{number}"))
        for number in range(PEER_ROUNDS)
    ]
    controller = site.made(fan_out=AT_ONCE)
    async with bare_pool(site, names) as connections:
        await ours(site, controller, "warm-up")
        await bare(connections, PRIVATE, '{"a": "b"}\n' + SCRIPT)
        own: list[float] = []
        found: dict[str, list[float]] = {"ours": [], "private": [], "lean": []}
        for number in range(ROUNDS):
            worked = time.process_time()
            found["ours"].append(await _seconds(functools.partial(ours, site, controller, f"warm-{number}")))
            own.append(time.process_time() - worked)
            found["private"].append(await _seconds(lambda: bare(connections, PRIVATE, '{"a": "b"}\n' + SCRIPT)))
            found["lean"].append(await _seconds(lambda: bare(connections, "/bin/sh -s", SCRIPT)))
    (peer_cold, _), *peers = theirs(site, names)
    mine, private, lean = (statistics.median(found[key]) for key in ("ours", "private", "lean"))
    peer, peer_cpu = (statistics.median(one[n] for one in peers) for n in (0, 1))
    own_cpu = statistics.median(own)
    return [
        lines.Line("`ansible -m script -f 50`, warm / ours, warm", peer / mine, "×", 20, "≥", f"{peer:.2f} s and {mine * 1e3:.0f} ms"),
        lines.Line("the same, of this side's processor time alone", peer_cpu / own_cpu, "×", None, "≤",
             f"{peer_cpu:.1f} s and {own_cpu * 1e3:.0f} ms: what counts where the hosts are machines of their own"),
        lines.Line("ours / bare asyncssh, both warm", mine / private,
             "×", 2, "≤", f"bare: the script as a private file, parameters on standard input, one exec: {private * 1e3:.0f} ms"),
        lines.Line("ours / the leanest exec there is, both warm", mine / lean, "×", None, "≤",
             f"`conn.run(\"/bin/sh -s\", input=script)`: no file, no parameters, nothing outlives the connection: {lean * 1e3:.0f} ms"),
        lines.Line("ours, cold", statistics.median(cold), "s", None, "≤", "connections, logins and the first look at each host with it"),
        lines.Line("`ansible -m script -f 50`, cold", peer_cold, "s"),
    ]  # fmt: skip


async def ours(site: ssh_site.Site, controller: Any, name: str) -> None:
    """One job on all hosts."""
    token = f"r-{name}-1"
    job = site.job("work.sh", token=token, targets=ssh_site.hosts(HOSTS), parameters={"a": "b"})
    outcome = await controller.run(job, lambda *_: None)
    if outcome.state != "succeeded":
        raise daemons.MeasureFailedError(f"{token}: {outcome.state}, {outcome.summary}")


@contextlib.asynccontextmanager
async def bare_pool(site: ssh_site.Site, names: Sequence[str]) -> Any:
    """Connections of asyncssh alone."""
    import asyncssh

    options: dict[str, Any] = {
        "port": site.server.port, "username": getpass.getuser(), "client_keys": [str(site.key)], "config": [], "agent_path": None,
        "known_hosts": str(site.folder / "known_hosts"),
    }  # fmt: skip
    made = await asyncio.gather(*(asyncssh.connect(name, **options) for name in names))
    try:
        yield made
    finally:
        for one in made:
            one.close()
        await asyncio.gather(*(one.wait_closed() for one in made))


async def bare(connections: Sequence[Any], command: str, given: str) -> None:
    """One exec a connection, so many at once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(connection: Any) -> None:
        async with room:
            done = await connection.run(command, input=given)
            if done.exit_status != 0 or "done" not in done.stdout:
                raise daemons.MeasureFailedError(f"bare: {done.exit_status} {done.stdout!r} {done.stderr!r}")

    await asyncio.gather(*map(one, connections))


def theirs(site: ssh_site.Site, names: Sequence[str]) -> Iterator[tuple[float, float]]:
    """(seconds, seconds of a processor for ansible and its ssh) of each round of `ansible -m script`; the first is cold."""
    folder = site.folder / "ansible"
    (folder / "cp").mkdir(parents=True)
    text = ANSIBLE.format(
        forks=AT_ONCE, known=site.folder / "known_hosts", key=site.key, control=folder / "cp", remote=folder / "remote"
    )
    (folder / "ansible.cfg").write_text(text)
    (folder / "hosts").write_text("".join(f"{name} ansible_port={site.server.port}\n" for name in names))
    program = pathlib.Path(sys.executable).with_name("ansible")
    command = [
        str(program),
        "all",
        "-i",
        "hosts",
        "-m",
        "script",
        "-a",
        str(site.revision / "scripts" / "work.sh"),
        "-f",
        str(AT_ONCE),
    ]
    environ = {**os.environ, "ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_LOCAL_TEMP": str(folder / "tmp")}
    for _ in range(1 + PEER_ROUNDS):
        with (folder / "said").open("w+") as said:  # no pipe: the masters that persist would hold it open
            started, worked = time.perf_counter(), _children_s()
            code = subprocess.run(
                command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False
            ).returncode
            took_s = time.perf_counter() - started
            text = (folder / "said").read_text()
        if code or text.count("CHANGED") != len(names):
            raise daemons.MeasureFailedError(f"ansible: {code} {text[-500:]}")
        yield took_s, _children_s() - worked


async def starts(site: ssh_site.Site) -> list[lines.Line]:
    """From the call to the moment that the script on the far side says, on a connection that is open."""
    site.script("now.sh", NOW)
    controller, waits_ms = site.made(), []
    for number in range(STARTS + 1):
        heard: list[bytes] = []
        called_ns = time.time_ns()
        job = site.job("now.sh", token=f"r-start{number}-1")
        outcome = await controller.run(job, lambda _, piece: heard.append(piece))  # noqa: B023 - awaited here
        if outcome.state != "succeeded":
            raise daemons.MeasureFailedError(f"now.sh: {outcome.state}, {outcome.summary}")
        waits_ms.append((int(b"".join(heard)) - called_ns) / 1e6)
    first, warm = waits_ms[0], sorted(waits_ms[1:])
    note = f"slowest of {STARTS}: {warm[-1]:.1f} ms; the first, with its connection: {first:.0f} ms"
    return [
        lines.Line(
            "a further ssh action on an open connection starts after", statistics.median(warm), "ms", 30, "≤", note
        )
    ]


def _children_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


async def _seconds(act: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await act()
    return time.perf_counter() - started


# --- the page -------------------------------------------------------------------------------------------------------------


def main() -> int:
    """The exit code: 1 when something was missed."""
    argparse.ArgumentParser(prog="bench/fleet.py", description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory(dir=MEMORY) as memory:
        described = machine.describe(pathlib.Path(scratch))
        with served(pathlib.Path(memory) / "site") as site:
            found = _told(asyncio.run(_with(site, hundred)))
            found += _told(asyncio.run(_with(site, starts)))
        with served(pathlib.Path(scratch) / "site") as site:
            found += _told(crowd.measure(site))
    PAGE.write_text(_page(found, described), encoding="utf-8")
    missed = [line.what for line in found if "missed" in line.verdict]
    print(f"wrote {PAGE.relative_to(REPOSITORY)}", *(["missed: " + "; ".join(missed)] if missed else []), sep="\n")
    return 1 if missed else 0


@contextlib.contextmanager
def served(folder: pathlib.Path) -> Iterator[ssh_site.Site]:
    """Hosts whose files are in a folder."""
    site = ssh_site.Site(folder)
    try:
        yield site
    finally:
        for server in site.servers:
            server.stop()


def _told(found: list[lines.Line]) -> list[lines.Line]:
    for line in found:
        print(line.row(), flush=True)
    return found


async def _with(
    site: ssh_site.Site, measure: Callable[[ssh_site.Site], Awaitable[list[lines.Line]]]
) -> list[lines.Line]:
    try:
        return await measure(site)
    finally:
        for controller in site.controllers:
            await controller.close()
        site.controllers.clear()


def _page(found: Sequence[lines.Line], described: Any) -> str:
    made = [
        "# A fleet", "",
        f"Written by `make bench-fleet` on {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC. {HOSTS} hosts are as many",
        "addresses of one machine, whose sshd (OpenSSH) serves them all: what the far sides compute is in each figure. Their temporary",
        "files are in memory, also those of Ansible's modules. Medians.", "",
        *[f"- {key}: {value}" for key, value in dict(described).items()], "",
        "| what | got | wanted | | |", "| --- | --- | --- | --- | --- |", *[line.row() for line in found],
    ]  # fmt: skip
    return "\n".join(made) + "\n"


if __name__ == "__main__":
    sys.exit(main())
