"""A person's word on requests, said in Slack: the same unit and permissions as that of the API. Caller: `desk`, `commands`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from healer import access, errors, inline, plugins
from healer.notify.channels import _slack_blocks as blocks
from healer.notify.channels import _slack_values as values
from healer.notify.channels import _visible as visible
from healer.store import approving, reviewing, transaction
from healer.web import approvals, shapes
from healer.web.services import Services
from healer.web.slack import forms, payloads
from healer.web.slack.telling import Said

TOLD_MAX: Final = 5
SHOWN_MAX: Final = 2_800
"""Characters that an answer has room for (`telling.TEXT_MAX`)."""
BUNDLE: Final = "b-"
_WORDS: Final[Mapping[str, reviewing.Word]] = {values.APPROVE: "approve", values.REJECT: "reject"}


def meant(value: str) -> tuple[values.Meant, ...]:
    """The requests of a button. Raises `payloads.Unreadable`."""
    try:
        return values.read(value)
    except ValueError:
        raise payloads.Unreadable(what="the value of a button of ours") from None


async def say(
    services: Services,
    who: access.Principal,
    action: str,
    asks: Iterable[values.Meant],
    reason: str,
    *,
    whole: bool = False,
) -> Said:
    """What there is to tell them; nothing where the message shows what came of it, but where `whole`. Raises `errors.Forbidden`."""
    digests = {one.request: one.digest for one in asks}
    made = await approvals.say_many(services, who, [*digests], _WORDS[action], reason, digests)
    return Said("\n".join(_results(made) if whole else _told(made)))


def _told(made: Mapping[str, Any]) -> list[str]:
    found: dict[str, None] = {}
    for item in made["items"]:
        if item["stood"]:
            found[f"You said something on {item['id']} before, and that stands."] = None
        elif item["state"] == "void":
            found[f"{item['id']} is void: what was asked for is something else now."] = None
    for item in made["refused"]:
        found[_sentence(item["detail"])] = None
    lines = [*found]
    return lines[:TOLD_MAX] + ([f"… and {len(lines) - TOLD_MAX} more"] if len(lines) > TOLD_MAX else [])


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


async def choices(services: Services, asks: Sequence[values.Meant]) -> list[forms.Choice]:
    """The requests as a form shows them, with what their runs are about now."""
    made = []
    for one in asks:
        rows = await services.store.reader.all("approval_shown", one.request)
        if rows:
            names = await services.store.reader.all("run_targets_in", rows[0]["run"])
            about = ", ".join(name["target"].removeprefix("host:") for name in names) or rows[0]["action"]
            given = transaction.loads(rows[0]["parameters"])
            made.append(forms.Choice(one.request, about, rows[0]["run"][: shapes.SHORT], given, rows[0]["action"]))
    if not made:
        raise errors.NotFound("healer approvals", what="what the button is for")
    return made


async def by_name(services: Services, who: access.Principal, word: reviewing.Word, name: str, reason: str) -> Said:
    """Of a command: one request, or many alike (`b-…`), which are shown before they are approved. Raises `errors.RequestError`."""
    if not name.startswith(BUNDLE):
        made = await approvals.say(services, who, await approvals.find(services, name), word, reason)
        return Said(
            "You said something on it before, and that stands." if made["stood"] else f"{made['id']}: {_now(made)}"
        )
    rows = await services.store.reader.all("approvals_open", "", approvals.OPEN_MAX)
    found = [row for row in rows if approving.bundle_of(row) == name][:MANY_MAX]
    if not found:
        raise errors.NotFound("healer approvals", what=f"an open request of {name[:80]!r}")
    if word == "approve":
        access.demand(who, "approvals.decide")
        return await _asked(services, [plugins.Asked(row["id"], row["run"], (), row["digest"]) for row in found])
    done = await approvals.say_many(services, who, [row["id"] for row in found], word, reason)
    return Said("\n".join(_results(done)))


async def _asked(services: Services, asks: Sequence[plugins.Asked]) -> Said:
    """What a button would approve: these, as they are now, of which each is shown whole, and none that comes after."""
    lines: dict[str, str] = {}
    for choice in await choices(services, values.fitting(asks)):
        given = (f"{key}={inline.value(value)}" for key, value in choice.parameters.items())
        line = visible.line("  ".join([choice.run, choice.action, choice.about, *given]))
        if sum(map(len, lines.values())) + len(lines) + len(line) > SHOWN_MAX:
            break
        lines[choice.request] = line
    if not lines:
        return Said("What it would do is too long to be shown here. It is shown by: healer approvals")
    shown = [one for one in asks if one.request in lines]
    more = f"{len(asks) - len(lines)} more come after these: ask again." if len(asks) > len(lines) else ""
    return Said(f"Approve these? {more}".strip(), "\n".join(lines.values()), tuple(blocks.deciding(shown)))


def _results(made: Mapping[str, Any]) -> list[str]:
    return [*(f"{item['id']}: {_now(item)}" for item in made["items"][:TOLD_MAX]), *_told(made)]


MANY_MAX: Final = 1_000


def _now(item: Mapping[str, Any]) -> str:
    return "your word counts, more are wanted" if item["state"] == "open" else str(item["state"])
