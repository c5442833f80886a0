"""People who are asked for a word, and who ask for something themselves: in time and late, alone and at once, with and without a role.

What they do about a request is drawn from the seed and the request, so that it is the same whatever happened around it. Each asks as
`web.approvals` does: who they are by the directory of now, what it is about by its run.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import types
from collections.abc import Callable, Mapping
from typing import Any, Final

import crowd
import virtual

from healer import access, project
from healer.store import reviewing
from healer.web import within

US: Final = virtual.US
LOOK_S: Final = 2.0
KEYS: Final[Mapping[str, tuple[str, str]]] = {
    "ana": ("", "ana"), "ana-phone": ("hand", "ana"), "bo": ("", "bo"), "cy": ("", "cy"), "cy-reader": ("readonly", "cy"), "dee": ("", "dee"),
    "eve": ("", "eve"), "fay": ("", "fay"), "gus": ("", "gus"), "spare": ("hand", ""),
}  # fmt: skip
"""Key → its role ('': those of the person), its person."""
SHELL: Final = "ana, shell"
ACTORS: Final[Mapping[str, str]] = {
    SHELL: "os:ana = ana", "spare": "key:spare", **{name: f"key:{name} = {person}" for name, (_, person) in KEYS.items() if person},
}  # fmt: skip
"""Who says it → as which actor the daemon knows them."""
EVERYBODY: Final = (*KEYS, SHELL)
MANNERS: Final[Mapping[str, Callable[[random.Random], list[tuple[float, str, str]]]]] = {
    "both at once": lambda draw: [(at := 1 + draw.random() * 6, "approve", "gus"), (at, "approve", "spare"), (at, "approve", "eve")],
    "one after the other": lambda draw: [
        (draw.random() * 9, "approve", one) for one in draw.sample(("bo", "gus", "spare", "cy", "eve"), 4)
    ],
    "one with three hands": lambda draw: [(draw.random() * 9, "approve", one) for one in ("ana", "ana-phone", SHELL)],
    "not asked": lambda draw: [(draw.random() * 9, "approve", one) for one in ("cy-reader", "dee", "fay", "eve", "fay")],
    "no": lambda draw: [(draw.random() * 9, draw.choice(("reject", "reject", "approve")), one) for one in ("bo", "gus", "eve")],
    "late": lambda draw: [(14 + draw.random() * 30, "approve", one) for one in ("gus", "spare", "bo", "eve")],
    "on the dot": lambda draw: [
        (span + draw.choice((-0.05, 0.0, 0.0, 0.05)), "approve", one) for span in (15, 20, 25, 30, 40) for one in ("gus", "spare", "eve")
    ],
    "anybody": lambda draw: [
        (draw.random() * 40, draw.choice(("approve", "approve", "approve", "reject")), draw.choice(EVERYBODY)) for _ in range(6)
    ],
    "nobody": lambda _: [],
}  # fmt: skip
OFTEN: Final = ("both at once", "both at once", "one after the other", "one after the other")
ASKERS: Final = ("ana", "ana-phone", "bo", "gus", "spare", "eve")


@dataclasses.dataclass(slots=True)
class Said:
    """A word. `revision`: whose roles held when it was heard; '' where nobody heard it."""

    approval: str
    who: str
    word: reviewing.Word
    act: crowd.Act | None = None
    revision: str = ""


class Reviewers:
    """One a seed. `known`: the revisions by name."""

    def __init__(
        self, people: crowd.Crowd, rows: Callable[[str], list[Any]], known: Mapping[str, project.Revision]
    ) -> None:
        self.people = people
        self.clock = people.clock
        self.rows = rows
        self.names = {one.id: name for name, one in known.items()}
        self.said: list[Said] = []
        self._seen: set[str] = set()

    def plan(self, count: int, until_s: float) -> None:
        """They look for requests, and so often ask for something themselves."""
        draw = random.Random(f"{self.people.world.seed}/reviewers")
        self.clock.after(LOOK_S, self._look)
        for _ in range(count):
            event = {"event_type": "reset", "target": draw.choice(crowd.HOSTS), "parameters": {}}
            actor = ACTORS[draw.choice(ASKERS)]
            self.clock.after(
                draw.random() * until_s,
                functools.partial(self.people.send, "healer.events", event, actor=actor),
            )

    def _look(self) -> None:
        """What is new is decided on in one manner or another."""
        if self.people.still:
            return
        for (approval,) in self.rows("SELECT id FROM approval WHERE state = 'open' ORDER BY id"):
            if approval not in self._seen:
                self._seen.add(approval)
                self._decide(approval)
        self.clock.after(LOOK_S, self._look)

    def _decide(self, approval: str) -> None:
        draw = random.Random(f"{self.people.world.seed}/{approval}")
        for at_s, word, who in MANNERS[draw.choice((*MANNERS, *OFTEN))](draw):
            said = Said(approval, who, "approve" if word == "approve" else "reject")
            self.clock.after(max(0.0, at_s), functools.partial(self._say, said))
        if draw.random() < 0.1 and not self.people.world.calm:
            self.clock.after(draw.random() * 12, self.people.mend)

    def _say(self, said: Said) -> None:
        self.said.append(said)
        said.act = self.people.person(
            said.word, f"{said.approval} by {said.who}", functools.partial(self._review, said)
        )

    async def _review(self, said: Said, daemon: Any) -> Any:
        services: Any = types.SimpleNamespace(store=daemon.store, revision=lambda: daemon.revision)
        run = (await daemon.store.reader.all("approval_shown", said.approval))[0]["run"]
        about = await within.of_run(services, run)
        revision = daemon.revision
        caller = _caller(revision.directory, said.who)
        said.revision = self.names[revision.id]
        access.demand(caller, "approvals.decide", about)
        unit = reviewing.Review(
            said.approval, said.word, who=caller, roles=access.roles_for(caller, about), reason="", standing_of=daemon._of_run
        )  # fmt: skip
        made = await daemon.store.submit(unit)
        await daemon._look_again()
        return made


def _caller(directory: access.Directory, who: str) -> access.Principal:
    if who == SHELL:
        found = directory.of_user("ana", local=False)
        assert found is not None
        return found
    return directory.of_key(who, *KEYS[who])
