"""`/heal approve` and `/heal reject`: what a name means now, and a word on exactly that. Caller: `commands`.

Whoever types the whole name of one request means that one. A name that may mean something else by now (of many alike, the beginning of
one) decides nothing: they are shown what it means, with buttons that carry the digest of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from healer import access, errors, plugins
from healer.notify import looking
from healer.notify.channels import _slack_blocks as blocks
from healer.notify.channels import _slack_values as values
from healer.notify.channels import _visible as visible
from healer.store import reviewing, transaction
from healer.web import approvals, shapes, within
from healer.web.services import Services
from healer.web.slack import deciding
from healer.web.slack.telling import TEXT_MAX, Said

BUNDLE: Final = "b-"
Row = Mapping[str, Any]


class TooLong(errors.RequestError):
    """what would run is too long to be shown here, and nobody decides what they do not see"""

    code = "too-long"


async def by_name(services: Services, who: access.Principal, word: reviewing.Word, name: str, reason: str) -> Said:
    """What became of one request; of what is less certain what it means, and buttons. Raises `errors.RequestError`."""
    try:
        rows = await _alike(services, name) if name.startswith(BUNDLE) else [await _one(services, name)]
    except errors.Ambiguous:
        async with services.attempts.noted(who.actor, [name], word):
            if "approvals.decide" not in who.permissions:  # it names requests
                raise access.refusal(who, "approvals.decide") from None
        raise
    (row, *_) = rows
    if name not in (row["id"], row["run"]):
        return await _ask(services, who, word, rows, reason)
    shown = await _shown(services, [row])
    made = await approvals.say(services, who, row["id"], word, reason, row["digest"])
    stood = "You said something on it before, and that stands."
    return Said(stood if made["stood"] else f"{made['id']}: {deciding.now(made)}", shown[-1])


async def _alike(services: Services, name: str) -> Sequence[Row]:
    """Those open requests that are alike and have a name which begins so. Raises `errors.NotFound`, `errors.Ambiguous`."""
    found = await approvals.alike(services, name)
    if not found:
        raise errors.NotFound("healer approvals", what=f"an open request of {name[:80]!r}")
    return found


async def _one(services: Services, name: str) -> Row:
    read = services.store.reader.all
    rows = await read("approval_shown", name) or await read("approval_shown", await approvals.find(services, name))
    return dict(rows[0])


async def _ask(
    services: Services, who: access.Principal, word: reviewing.Word, rows: Sequence[Row], reason: str
) -> Said:
    """Show requests, as many as there is room for, and ask about exactly these."""
    asks = [plugins.Asked(row["id"], row["run"], (), row["digest"]) for row in rows]
    some = rows[: len(values.fitting(asks, reason))]
    async with services.attempts.noted(who.actor, [row["id"] for row in some], word):
        within.known(who, "approver")
        for row in some:
            await approvals.unit(services, who, row["id"], word, reason, row["digest"])
    if rows[0]["state"] != "open":
        raise reviewing.ApprovalEnded(approval=rows[0]["id"], state=rows[0]["state"])
    shown = [text for text in await _shown(services, some) if len(text) <= TEXT_MAX]
    if not shown:
        raise TooLong("healer approvals show " + rows[0]["id"])
    count, every = len(shown), len(rows)
    value = values.written(values.fitting(asks[:count], reason), reason)
    said = (
        "this request"
        if every == 1
        else f"these {every} requests"
        if count == every
        else f"the first {count} of {every} requests"
    )
    more = "" if count == every else " Say it again for the others, once these are decided."
    return Said(f"{word.capitalize()} {said}?{more}", shown[-1], _buttons(word, value, count, every))


def _buttons(word: reviewing.Word, value: str, count: int, every: int) -> tuple[dict[str, Any], ...]:
    """As those of the message that asks people."""
    if word == "reject":
        return (blocks.button(values.REJECT, "Reject…", value, "danger"),)
    label = f"Approve all {every}" if count == every else f"Approve the first {count} of {every}"
    return (
        blocks.button(values.APPROVE, label if every > 1 else "Approve", value, "primary"),
        blocks.button(values.CHOOSE, "Choose…" if count > 1 else "Approve with a reason…", value),
    )


async def _shown(services: Services, rows: Sequence[Row]) -> list[str]:
    """What would run, whole: of the first request, of the first two, and so on until one is longer than there is room for."""
    runs = await looking.runs(services.store.reader, (row["run"] for row in rows))
    head = [f"rule      {rows[0]['rule']}", f"action    {rows[0]['action']}"]
    alike: dict[str, list[str]] = {}
    texts = []
    for row in rows:
        run = runs[row["run"]]
        where = "  ".join(sorted(run["targets"])) or "no target"
        lines = alike.setdefault(looking.command(run, len(run["parameters"]) * 6), [])
        lines.append(f"  {row['id']}  {row['run'][: shapes.SHORT]}  {where}")
        steps = [str(step["action"]) for step in transaction.loads(row["steps"])]
        if steps:
            lines.append(f"    and then {', '.join(steps)}")
        every = [line for said, of in alike.items() for line in (f"will run  {said}", *of)]
        texts.append("\n".join(map(visible.line, [*head, *every])))
        if len(texts[-1]) > TEXT_MAX:
            break
    return texts
