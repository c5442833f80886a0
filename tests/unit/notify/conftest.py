"""A store in memory with runs in it, and a channel that writes down what it is given."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from healer import access, model, plugins, policy, store
from healer.notify import delivering, looking, places, routing
from healer.policy import limits
from healer.store import asking, claiming, deciding, finishing, journal, outbox, reviewing

S = 1_000_000
MINUTE = 60 * S
START_US = 1_790_000_000_000_000
ONE = limits.Approval((limits.Threshold("one approver", ("approver",), 1, 1),), ("requester",))
FREE = policy.Limits(max_age_s=900, attempts=3, timeout_s=10, concurrency_daemon=20)
ALL = frozenset(outbox.notices.NEWS)
AT_ONCE = routing.Routing({"ops": ALL}, {**dict.fromkeys(ALL, 0), "succeeded": 5 * MINUTE, "deferred": 15 * MINUTE})


class Channel(plugins.Notifier):
    """Keeps what it is given; `fails`: raised by the next calls, `holds`: waited for before each."""

    Options = plugins.NoAccount
    updates = True

    def __init__(self) -> None:
        super().__init__(
            None, plugins.NotifierContext("fake", lambda one: model.Secret("", ""), lambda *_: None, lambda *_: "")
        )
        self.given: list[tuple[str, str, plugins.Message]] = []
        self.fails: list[Exception] = []
        self.holds: asyncio.Event | None = None

    async def _take(self, what: str, reference: str, message: plugins.Message) -> str:
        if self.holds is not None:
            await self.holds.wait()
        if self.fails:
            raise self.fails.pop(0)
        self.given.append((what, reference, message))
        return reference or f"ref-{len(self.given)}"

    async def send(self, to: Any, message: plugins.Message) -> str:
        """Note it."""
        return await self._take("send", "", message)

    async def update(self, to: Any, reference: str, message: plugins.Message) -> str:
        """Note it."""
        return await self._take("update", reference, message)


@dataclasses.dataclass
class Desk:
    """A store, a deliverer on it, and its channel. `now_us` is turned by hand."""

    store: store.Store
    channel: Channel
    now_us: int = START_US
    revision: int = 0
    position: int = 0
    plans: dict[str, Any] = dataclasses.field(default_factory=dict)
    shares: Sequence[dict[str, Any]] = ()
    link: str = "https://healer.example.org"

    def __post_init__(self) -> None:
        self.standing = policy.Standing(enabled=True, mode="active")
        self.deliverer = delivering.Deliverer(self.store, lambda: self.now_us, self.around)
        self.use(AT_ONCE)

    def use(self, routes: routing.Routing, *names: str) -> None:
        """These hear; by the one channel all of them."""
        known = {*routes.hears, *routes.ladder, *names}
        self.deliverer.use(routes, {name: places.Receiver(name, self.channel, None) for name in known})

    def around(self) -> looking.Around:
        """What is true beside the rows."""

        async def plan(run: str) -> Any:
            return self.plans.get(run)

        return looking.Around("prod", self.link, plan, lambda *_: self.shares, self.store.blob)

    def do(self, unit: Any) -> Any:
        """Commit a unit."""
        return self.store.writer.now(unit)

    def decide(self, *asked: asking.Ask) -> Sequence[str]:
        """A row with these matches; their runs."""
        if not self.revision:
            row, self.revision = self.do(deciding.UseRevision("f" * 64, "", "daemon", {}))
            self.do(deciding.Decide(row.seq - 1, row.seq, self.now_us, self.revision, [], lambda _: self.standing))
            self.position = row.seq
        (row,) = self.do(journal.Append([journal.Row("event", "am", b"{}")]))
        outcome = deciding.Outcome(row.seq, self.now_us, results=list(asked))
        unit = deciding.Decide(
            self.position, row.seq, self.now_us, self.revision, [outcome], lambda _: self.standing, None
        )
        self.position = row.seq
        return [*self.do(unit).runs]

    def ask(
        self,
        key: str,
        *,
        asks: bool | limits.Approval = False,
        parameters: Any = None,
        rule: str = "web/alerts/down",
        action: str = "restart",
        cycle: int = 0,
    ) -> str:
        """A match on the host of that name; its run. `asks`: it waits for a person, or for those."""
        activation, ruleset, name = rule.split("/")
        run = model.run_id(activation, ruleset, name, key, cycle, 0)
        held = (
            dataclasses.replace(FREE, approvals=(ONE if asks is True else asks,), approval_expires_s=1800)
            if asks
            else FREE
        )
        candidate = policy.Candidate(run, rule, action, "site", (f"host:{key}",), event_us=self.now_us, limits=held)
        target = model.Target("host", key, key, groups=("web",))
        made = asking.Ask(
            candidate, self.standing, 0, "playbook", "playbooks/restart.yml", parameters or {}, {}, False, 1, f"rule:{rule}", [target], [], []
        )  # fmt: skip
        return str(self.decide(made)[0])

    def claim(self) -> Sequence[claiming.Claimed]:
        """T3."""
        return list(self.do(claiming.Claim(20, lambda _: self.standing)).claimed)

    def end(self, state: model.EndState, *, output: bytes = b"", summary: str = "") -> None:
        """Whatever may begin begins, and ends so."""
        for one in self.claim():
            kept = finishing.Kept(self.store.blobs.keep(output), self.store.blobs.keep(b""))
            outcome = model.Outcome(state, summary or state, 0 if state == "succeeded" else 4)
            self.do(finishing.Finish(one.token, one.run["id"], one.number, outcome, kept))

    def say(self, word: reviewing.Word, person: str = "ana", reason: str = "") -> list[str]:
        """Somebody says so to all open requests."""
        who = access.Principal(f"key:{person}", (access.BUILT_IN["approver"],))
        found = [
            row[0]
            for row in self.store.writer.tx.connection.execute(
                "SELECT id FROM approval WHERE state = 'open'"
            ).fetchall()
        ]
        for one in found:
            self.do(
                reviewing.Review(
                    one, word, who=who, roles=["approver"], reason=reason, standing_of=lambda _: self.standing
                )
            )
        return found

    async def told(self) -> list[plugins.Message]:
        """The worker's turn: what its channel was given meanwhile."""
        before = len(self.channel.given)
        await self.deliverer.turn()
        await self.deliverer.settled()
        return [message for _, _, message in self.channel.given[before:]]

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        """Of the outbox."""
        return self.store.writer.tx.connection.execute(
            f"SELECT {', '.join(columns)} FROM outbox ORDER BY id"
        ).fetchall()


@pytest.fixture
async def desk() -> Any:
    """A desk whose deliverer has followed what there was."""
    box: list[Desk] = []
    opened = store.Store.open(None, lambda: box[0].now_us if box else START_US, loop=None, environment="prod")
    box.append(Desk(opened, Channel()))
    await box[0].deliverer.turn()
    yield box[0]
    await opened.close()


def text_of(pieces: plugins.Text) -> str:
    """Pieces as one line, moments as `@seconds after the start`."""
    return "".join(
        one
        if isinstance(one, str)
        else one.text
        if isinstance(one, plugins.Strong)
        else f"@{(one.at_us - START_US) // S}"
        for one in pieces
    )


@pytest.fixture
def shown() -> Callable[[plugins.Message], list[str]]:
    """A message as lines."""

    def lines(message: plugins.Message) -> list[str]:
        made = [text_of(message.title), *(f"{row.label}: {text_of(row.text)}" for row in message.rows)]
        return [*made, *([f"= {text_of(message.status)}"] if message.status else [])]

    return lines
