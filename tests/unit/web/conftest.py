"""A room `web` with everything real but the workers: a store on disk, the real intake, the real app on a real port."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import pathlib
import types
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

import aiohttp
import orjson
import pytest

from healer import access, catalog, errors, intake, inventory, model, plugins, policy, project, secrets, store
from healer import explain as explains
from healer.daemon import standing, switching
from healer.dispatch import attempts, wishes
from healer.project import controllers
from healer.store import keys as stored
from healer.web import auth, minting, routes, serving
from healer.web.services import Check, Services

NOW_US = 1_790_000_000_000_000
AM_TOKEN = "a-token-of-alertmanager"


class Dispatcher:
    """What `wishes` asks of one: it remembers what was to end, and says of unknown attempts what a test wants."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.found: model.Found | None = None
        self.withheld: set[str] = set()

    def wake(self) -> None:
        pass

    def end(self, token: str) -> None:
        self.ended.append(token)

    async def look(self, run: str) -> Any:
        return None if self.found is None else attempts.Looked(f"{run}-1", 1, None, self.found)

    async def end_of(self, looked: Any) -> Any:
        return None

    async def forget(self, token: str) -> None:
        pass

    async def barrier(self, tokens: Collection[str]) -> set[str]:
        return {*tokens} & self.withheld


class Checks:
    """Controllers that answer what a test wants."""

    def __init__(self) -> None:
        self.said: dict[str, Check] = {}
        self.asked: list[str] = []

    def last(self, controller: str) -> Check | None:
        return self.said.get(controller) if controller in self.asked else None

    async def check(self, controller: str) -> Check:
        self.asked.append(controller)
        return self.said.setdefault(controller, Check(True, "Python 3.11", NOW_US, 0.5))


@dataclasses.dataclass
class Room:
    """The room and how to talk to it."""

    services: Services = dataclasses.field(init=False)
    listening: serving.Listening = dataclasses.field(init=False)
    session: aiohttp.ClientSession = dataclasses.field(init=False)
    port: int = 0
    revision: Any = None
    keys: dict[str, str] = dataclasses.field(default_factory=dict)
    reloads: list[str] = dataclasses.field(default_factory=list)
    live: dict[tuple[str, str], bytes] = dataclasses.field(default_factory=dict)
    slept: list[float] = dataclasses.field(default_factory=list)
    state: str = "ok"
    backlog: int = 0
    decided_to: int | None = 0
    reload_error: errors.HealerError | None = None
    dispatcher: Any = dataclasses.field(default_factory=Dispatcher)
    checks: Checks = dataclasses.field(default_factory=Checks)
    looked: int = 0
    simulated: list[Any] = dataclasses.field(default_factory=list)
    rules: list[Any] = dataclasses.field(default_factory=list)
    ahead_us: int = 0
    data_dir: pathlib.Path = pathlib.Path()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def ask(self, method: str, path: str, key: str | None = "admin", **more: Any) -> tuple[int, Any]:
        """(status, JSON or text) of a request with the key of a role."""
        headers = dict(more.pop("headers", {}))
        if isinstance(more.get("data"), bytes) and len(more["data"]) > 1 << 19:
            more["data"] = io.BytesIO(more["data"])
        if key is not None:
            headers["Authorization"] = f"Bearer {self.keys.get(key, key)}"
        async with self.session.request(method, self.url(path), headers=headers, **more) as answer:
            return answer.status, await (answer.json() if "json" in answer.content_type else answer.text())

    async def rows(self) -> list[dict[str, Any]]:
        """What the journal holds."""
        return await self.services.store.reader.select("SELECT * FROM journal ORDER BY seq LIMIT 10000", [])

    async def records(self) -> list[dict[str, Any]]:
        """What the audit holds."""
        return await self.services.store.reader.all("audit_chunk", 0, 10_000)


def source(kind: str, **options: Any) -> Any:
    """A source of the revision, its options as the plugin's own class."""
    shape = plugins.find("sources", kind.removeprefix("healer.")).SOURCE.Options
    return spec(kind, ("web", "alerts"), shape.model_validate(options), options)


def spec(kind: str, ruleset: tuple[str, str], options: Any = None, args: Any = ()) -> Any:
    """A source that one ruleset hears, as the revision has it; a test may change it."""
    made = project.Source("", kind, "push", dict(args), (), errors.Place("healer.yaml", 3, 5), options, shared=True)
    return types.SimpleNamespace(
        **{one.name: getattr(made, one.name) for one in dataclasses.fields(made)} | {"subscribers": [ruleset]}
    )


def revision() -> Any:
    """A project with two actions, three sources and two controllers."""
    place = errors.Place("actions.yaml", 1)
    rulesets = {"alerts": ("restart", "clean"), "disks": ("clean",)}
    activation = types.SimpleNamespace(name="web", inventory="")
    restart = catalog.Entry(
        "restart_service", "script", "scripts/restart.sh", place,
        parameters={"service": {"type": "string"}, "force": {"type": "boolean", "default": False}, "internal": {"type": "string"}},
        required=("service",), payload_parameters=("service", "force"), events=("service.down",),
    )  # fmt: skip
    note = catalog.Entry("note", "command", ("true",), place, target="none", events=("note.made",))
    return types.SimpleNamespace(
        id="f" * 64,
        settings=project.Settings(),
        hosts=lambda controller: types.SimpleNamespace(
            hosts=dict.fromkeys(("web1", "web2", "db1")) if controller == "ansible" else {}, partial=False,
            groups={"web": ("web1", "web2"), "db": ("db1",), "odd": ("web1", "mars"), "empty": ()},
        ),
        inventory_name=lambda _controller: "inventory",
        said=lambda _inventory: None,
        expand_hosts=expand,
        rulesets=lambda: [
            (activation, types.SimpleNamespace(name=name, rules=[types.SimpleNamespace(name=rule) for rule in rules]))
            for name, rules in rulesets.items()
        ],
        catalog=catalog.Catalog(
            {"restart_service": restart, "note": note}, {"service.down": "restart_service", "note.made": "note"}
        ),
        controllers={
            "local": controllers.Controller("local", "local", frozenset({"script", "command"})),
            "ansible": controllers.Controller(
                "ansible", "ansible", frozenset({"playbook", "module"}), inventory="inventory", targets=("group:web", "db1"),
                actions=("restart_service",), concurrency=3, tags=("prod",), place=errors.Place("controllers.yaml", 4, 3),
                options={"vault_password": {"secret": "env:VAULT"}, "forks": 5},
            ),
        },
        default_controller="local",
        ruleset_of=lambda rule: tuple(rule.split("/")[:2]),
        resolve_target=resolve,
        under=lambda _path: None,
        sources={
            "healer.api": source("healer.api"),
            "healer.events": spec("healer.events", ("healer", "events")),
            "healer.actions": spec("healer.actions", ("healer", "actions")),
            "am": source(
                "healer.webhook", path="alertmanager", format="alertmanager", auth={"bearer": {"secret": "env:AM_TOKEN"}}
            ),
            "open": source("healer.webhook", path="open/door", auth={"none": True}, max_body=1000),
            "locked": source("healer.webhook", path="locked", auth={"bearer": {"secret": "env:NOT_SET"}}),
        },
    )  # fmt: skip


def resolve(controller: str, text: str) -> model.Target | inventory.Refusal:
    """Of both controllers: web… is in the group web, db… in the group db."""
    name = text.removeprefix("host:")
    if controller in ("local", "ansible") and name[:2] in ("we", "db"):
        return model.Target("host", name, name, groups=("web" if name[:2] == "we" else "db",))
    return inventory.Refusal("no such host")


def expand(controller: str, names: list[str]) -> tuple[list[model.Target], list[str]]:
    """The hosts of groups, and the groups of which not all hosts can be named."""
    groups = {"web": ("web1", "web2"), "db": ("db1",), "odd": ("web1", "mars"), "empty": ()}
    found = {name: [resolve(controller, one) for one in groups[name]] for name in names}
    missing = [name for name, some in found.items() if not all(isinstance(one, model.Target) for one in some)]
    return [one for some in found.values() for one in some if isinstance(one, model.Target)], missing


class Clock:
    """Microseconds that only grow: one more with each look."""

    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        self.now_us += 1
        return self.now_us


async def make_keys(kept: store.Store) -> dict[str, str]:
    """A key of each role."""
    made = {}
    for role in access.ROLES:
        key_id, made[role] = minting.make_key()
        await kept.submit(stored.CreateKey(key_id, minting.digest(made[role]), role, role, actor="test"))
    return made


def make_services(room: Room, kept: store.Store, gate: auth.Gate, clock: Clock, folder: pathlib.Path) -> Services:
    """Services whose other rooms answer what the room says."""

    async def reload(actor: str, preview: bool) -> dict[str, Any]:
        room.reloads.append(f"{actor}?" if preview else actor)
        if room.reload_error is not None:
            raise room.reload_error
        return {"revision": "a" * 64, "short": "aaaaaaa", "changed": {}}

    async def status() -> dict[str, Any]:
        return {"mode": "active"}

    async def explain(given: str, rule: str | None) -> dict[str, Any]:
        if rule == explains.NO_RULE:
            assert room.decided_to is not None
            return {"event": {"id": given, "decided": room.decided_to >= int(given[2:])}, "rules": []}
        return {"event": given, "rules": [rule]}

    async def look_again() -> None:
        room.looked += 1

    async def simulate(wanted: Any) -> dict[str, Any]:
        room.simulated.append(wanted)
        return {"event": {"id": wanted.event}, "rules": room.rules}

    async def limits_of(action: str) -> list[dict[str, Any]]:
        return [{"gate": "timeout", "value": 600.0, "written": "10 minutes", "from": f"action {action}", "place": None}]

    def standing_of(_row: Any) -> policy.Standing:
        return policy.Standing(True, "active")

    room.data_dir = folder / "data"
    people = wishes.Wishes(kept, room.dispatcher)
    switch = switching.Switch(
        kept, room.dispatcher, people, standing.PauseFile(room.data_dir, lambda: room.ahead_us), revision=lambda: room.revision,
        evaluator=lambda: types.SimpleNamespace(running={}), standing_of=standing_of, clock=clock,
        look_again=look_again,
    )  # fmt: skip
    return Services(
        store=kept,
        intake=intake.Intake(kept, clock, lambda: room.backlog, backlog_max=10),
        revision=lambda: room.revision,
        secrets=secrets.Secrets(folder, {"AM_TOKEN": AM_TOKEN}),
        gate=gate,
        status=status,
        reload=reload,
        explain=explain,
        live_output=lambda token, stream: room.live.get((token, stream)),
        state=lambda: room.state,  # type: ignore[arg-type,return-value]
        ready=lambda: (room.state == "ok", "" if room.state == "ok" else room.state),
        clock=clock,
        people=people,
        switch=switch,
        look_again=look_again,
        standing_of=standing_of,
        simulate=simulate,
        checks=room.checks,
        limits_of=limits_of,
        wall=lambda: clock() + room.ahead_us,
    )


@pytest.fixture
def open_room(tmp_path: pathlib.Path) -> Callable[..., Any]:
    """Makes a room: `async with open_room() as room`; arguments are those of `serving.Listening`."""

    @contextlib.asynccontextmanager
    async def opened(**more: Any) -> AsyncIterator[Room]:
        room = Room(revision=revision())

        async def sleep(seconds: float) -> None:
            room.slept.append(seconds)
            await asyncio.sleep(0)

        data_dir = tmp_path / "data"
        data_dir.mkdir()
        clock = Clock()
        kept = store.Store.open(data_dir, clock, loop=asyncio.get_running_loop())
        room.keys = await make_keys(kept)
        gate = auth.Gate(auth.Keys(kept.reader), auth.Throttle(sleep=sleep))
        await gate.keys.load()
        room.services = make_services(room, kept, gate, clock, tmp_path)
        room.listening = serving.Listening(routes.build(room.services), **more)
        await room.listening.start()
        room.port = await room.listening.tcp("127.0.0.1", 0)
        room.session = aiohttp.ClientSession()
        try:
            yield room
        finally:
            await room.session.close()
            await room.listening.stop()
            room.services.tally.write()
            await kept.close()

    return opened


@pytest.fixture
async def room(open_room: Callable[..., Any]) -> AsyncIterator[Room]:
    """The room."""
    async with open_room() as made:
        yield made


class Seed:
    """`await seed(room, id, state, …)` puts a run with its decision into the store."""

    async def __call__(self, room: Room, run_id: str, state: str, **more: Any) -> None:
        """`seq`, `rule`, `action`, `targets`, `reason`, `detail`, `created_us`, `attempts` ([(state, outcome, stdout)])."""
        await room.services.store.submit(_Do(lambda tx: _seed(tx, run_id, state, more)))

    async def decided(self, room: Room, seq: int) -> None:
        """The journal is decided up to here."""
        await room.services.store.submit(_Do(lambda tx: tx.connection.execute("UPDATE position SET seq = ?", (seq,))))

    async def move(self, room: Room, run_id: str, state: str) -> None:
        """The run (and its last attempt) goes to another state."""

        def apply(tx: Any) -> None:
            tx.connection.execute("UPDATE run SET state = ? WHERE id = ?", (state, run_id))
            tx.connection.execute("UPDATE attempt SET state = ? WHERE run = ? AND state = 'running'", (state, run_id))

        await room.services.store.submit(_Do(apply))

    async def do(self, room: Room, apply: Callable[[Any], Any]) -> None:
        """Anything inside a transaction."""
        await room.services.store.submit(_Do(apply))


class _Do:
    weight = 1

    def __init__(self, apply: Callable[[Any], Any]) -> None:
        self.apply = apply


def _seed(tx: Any, run_id: str, state: str, more: dict[str, Any]) -> None:
    seq, rule, action = (
        more.get("seq", 1),
        more.get("rule", "web/alerts/restart"),
        more.get("action", "restart_service"),
    )
    at_us, reason = more.get("created_us", tx.now_us), more.get("reason", "")
    tx.run("revision_insert", "f" * 64, at_us, "")
    (revision_n,) = tx.one("revision_find", "f" * 64)
    tx.run(
        "run_insert", run_id, state, reason, more.get("detail", "{}"), seq, rule, action, 0, "catalog", "script",
        '"scripts/restart.sh"', "local", '{"service":"nginx"}', "{}", 1, 0, "{}", 2, 0, "rule:" + rule, revision_n, at_us, at_us,
        at_us, None, None, None, '{"conditions":[],"gates":[]}', "", "", 0, "{}",
    )  # fmt: skip
    for name in more.get("targets", ["host:web1"]):
        value = {"groups": more.get("groups", []), "inventory_name": "web1"}
        tx.run("run_target_put", run_id, name, orjson.dumps(value).decode(), action, state, "", "{}")
    for number, (attempt_state, outcome, stdout) in enumerate(more.get("attempts", []), 1):
        token = f"{run_id}-{number}"
        tx.run("attempt_insert", run_id, number, token, '["host:web1"]', at_us, run_id)
        tx.connection.execute(
            "UPDATE attempt SET state = ?, outcome = ?, stdout_hash = ? WHERE token = ?",
            ("running" if attempt_state != "queued" else "queued", outcome, stdout, token),
        )
        if attempt_state not in ("queued", "running"):
            tx.connection.execute("UPDATE attempt SET state = ? WHERE token = ?", (attempt_state, token))
    (n,) = tx.connection.execute("SELECT count(*) FROM decision WHERE seq = ?", (seq,)).fetchone()
    tx.connection.execute(
        "INSERT INTO decision (seq, n, part, at_us, rule, action_index, action, run, outcome, reason, revision, explanation)"
        " VALUES (?, ?, 0, ?, ?, 0, ?, ?, ?, ?, ?, ?)",
        (seq, n, at_us, rule, action, run_id, state, reason, revision_n, more.get("explanation", '{"gates":[]}')),
    )


@pytest.fixture
def seed() -> Seed:
    """Puts runs into a room's store."""
    return Seed()
