"""`/ui/approvals`: what waits for a person's word, exactly what would run, and saying the word.

Requests that are alike (`bundle`) stand together; all of them or some can be decided at once, by their ids as they were shown, so that
nothing is decided that came since. Deciding is `web.approvals`' own. After a word the browser is sent on (303), so that loading the page
again says nothing twice.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from healer import access, errors
from healer.explain import ahead
from healer.policy import reasons
from healer.store import reads, reviewing, transaction
from healer.web import approvals, bodies
from healer.web.services import Services
from healer.web.ui import forms, texts, views

PATH: Final = "/ui/approvals"
LIMIT: Final = "200"
DECIDE: Final = "approvals.decide"
WORDS: Final[Mapping[str, reviewing.Word]] = {"approve": "approve", "reject": "reject"}
TOLD_MAX: Final = 20
"""Of so many requests that were decided at once it is told one by one what came of them."""
SAID: Final = {"approved": "approved", "rejected": "rejected", "open": "noted; more people are wanted"}


async def index(view: views.View, _form: forms.Form) -> web.StreamResponse:
    """The open requests; with `bundle` those of one, each in full, to choose from."""
    asked = view.query("bundle", "after")
    found = await view.told("GET /approvals", asked | {"limit": LIMIT})
    items = texts.mappings(found.get("items"))
    following = views.address(PATH, **{**asked, "after": str(found["next"])}) if found.get("next") else ""
    return view.page(
        "approvals.html", "Approvals", bundles=_bundles(items), asked=asked, following=following, needs=needs,
    )  # fmt: skip


def _bundles(items: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Those that are alike together, the one that expires first before the others."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for item in sorted(items, key=lambda one: (str(one.get("expires") or "~"), str(one.get("id")))):
        found.setdefault(str(item.get("bundle") or item.get("id")), []).append(item)
    return list(found.values())


async def show(view: views.View, _form: forms.Form) -> web.StreamResponse:
    """One request, by a beginning of its id or of its run's."""
    view.query()
    item = await view.told("GET /approvals/{id}")
    token, bar = (
        view.session.token if view.session else "",
        await approvals.barred(view.services, view.caller, item["id"]),
    )
    return await page(view, item, token=token, may=_may(view), bar=bar)


def _may(view: views.View) -> str:
    """Why there are no buttons; '' where there are. Who is limited to some requests is told when they decide."""
    return "" if DECIDE in view.caller.permissions else access.refusal(view.caller, DECIDE).message


async def page(
    view: views.View, item: Mapping[str, Any], *, token: str, may: str, bar: str, person: str = "", status: int = 200, said: str = ""
) -> web.Response:  # fmt: skip
    """One request with its form. `may`: why it has none; `bar`: why it can only be rejected; `person`: whose word it would be, behind a
    link; `said`: what came of it."""
    about = await described(view.services, item)
    return view.page(
        "confirm.html", f"Request {item['id']}", status, item=item, about=about, proof=token, may=may, bar=bar, person=person, said=said,
        needs=needs, linked=bool(person),
    )  # fmt: skip


async def described(services: Services, item: Mapping[str, Any]) -> dict[str, Any]:
    """What a request's run says beside it: the command, why a person is asked, what share of each group its targets are."""
    read, run = services.store.reader, str(item["run"])
    row = await reads.run(read, run)
    detail = transaction.loads(row["detail"])
    fields = detail if isinstance(detail, dict) else {}
    rows = await read.all("run_targets_in", run)
    groups_of = [tuple(transaction.loads(one["value"])["groups"]) for one in rows]
    return {
        "kind": row["kind"], "subject": transaction.loads(row["subject"]), "dry_run": bool(row["dry_run"]), "event": f"e-{row['seq']}",
        "why": reasons.sentence(str(item["reason"]), fields) if row["state"] == "awaiting_approval" else "",
        "shares": ahead.shares(groups_of, _sizes(services, row, groups_of)),
    }  # fmt: skip


def _sizes(services: Services, row: Mapping[str, Any], groups_of: Sequence[tuple[str, ...]]) -> dict[str, int]:
    """Group → its hosts, in the inventory that the rule's activation sees."""
    revision = services.revision()
    activation, _ = revision.ruleset_of(row["rule"])
    own = next((one.inventory for one, _ in revision.rulesets() if one.name == activation), "")
    known = (revision.under(own) if own else revision).hosts(row["controller"]).groups
    return {name: len(known[name]) for name in {name for groups in groups_of for name in groups} if name in known}


def needs(item: Mapping[str, Any]) -> list[str]:
    """What each of its approvals still needs, of which any threshold is enough: `0 of 1 on call (roles oncall)`."""
    found: dict[Any, list[str]] = {}
    for one in texts.mappings(item.get("needs")):
        roles = ", ".join(map(str, one.get("roles") or ()))
        said = f"{one.get('have', 0)} of {one.get('want', 1)} {one.get('name')} ({roles})"
        found.setdefault(one.get("approval"), []).append(said)
    return [" or ".join(any_of) for any_of in found.values()]


# --- saying a word ----------------------------------------------------------------------------------------------------------


def word_of(form: forms.Form) -> tuple[reviewing.Word, str]:
    """The word of a form, and why. Raises `errors.InvalidField`."""
    word = WORDS.get(form.one("word"))
    if word is None:
        raise errors.InvalidField(
            "use one of the buttons", field="word", detail=f"approve or reject is wanted, got {form.one('word')[:40]!r}"
        )
    return word, bodies.shaped({"reason": form.line("reason")}, approvals.Word).reason


async def decide(view: views.View, form: forms.Form) -> web.StreamResponse:
    """The word on one request, which is named by its whole id."""
    word, reason = word_of(form)
    name, digest = view.request.match_info["id"], form.one("digest")
    async with view.services.attempts.noted(view.caller.actor, [name], word):
        caller = _decider(view)
    made = await approvals.say(view.services, caller, name, word, reason, digest)
    assert view.session is not None  # noqa: S101 - the door saw to it
    view.session.tell(told(made))
    return view.seen_other(PATH)


def _decider(view: views.View) -> access.Principal:
    """Who says it. Raises `errors.Forbidden` for who may decide nothing at all, as the API's own door does."""
    if DECIDE not in view.caller.permissions:
        raise access.refusal(view.caller, DECIDE)
    return view.caller


def told(made: Mapping[str, Any]) -> str:
    """What a word came to, in a sentence."""
    return f"Request {made['id']}: {_outcome(made)}."


def told_of_many(made: Mapping[str, Any]) -> list[str]:
    """What the words on many came to: first of those to which they came to nothing, and in one sentence of those that are too many."""
    every = [(one["id"], str(one["detail"]), "nothing came of it") for one in made["refused"]]
    every += [(one["id"], _outcome(one), _outcome(one)) for one in made["items"]]
    more = collections.Counter(outcome for _, _, outcome in every[TOLD_MAX:])
    counted = " · ".join(f"{count} {outcome}" for outcome, count in more.most_common())
    rest = [f"And {more.total()} more requests: {counted}."] if more else []
    return [*(f"Request {name}: {said}." for name, said, _ in every[:TOLD_MAX]), *rest]


def _outcome(made: Mapping[str, Any]) -> str:
    """`approved`, `your first word stands; it is noted; …`."""
    state = SAID.get(str(made["state"]), str(made["state"]))
    return f"your first word stands; it is {state}" if made.get("stood") else state


async def chosen(view: views.View, form: forms.Form) -> web.StreamResponse:
    """Those that were chosen (or all that were shown), before they are decided: nothing is, yet."""
    names = form.all("shown") if form.one("every") else form.all("requests")
    asked = bodies.shaped({"requests": list(dict.fromkeys(names))}, approvals.Words).requests if names else []
    if not asked:
        raise errors.InvalidField("go back and choose some", field="requests", detail="none was chosen")
    access.demand(view.caller, "approvals.read")
    items = [item for item in [await _open(view.services, one) for one in asked] if item]
    about = {str(item["id"]): await described(view.services, item) for item in items}
    return view.page(
        "chosen.html", f"Decide {len(items)} requests", items=items, about=about, gone=len(asked) - len(items), needs=needs, may=_may(view),
    )  # fmt: skip


async def _open(services: Services, approval: str) -> Mapping[str, Any]:
    """The request in full; nothing where it does not wait any more."""
    try:
        found = await approvals.in_full(services, approval)
    except errors.NotFound:
        return {}
    return found if found["state"] == "open" else {}


async def decide_many(view: views.View, form: forms.Form) -> web.StreamResponse:
    """The word on each of them."""
    word, reason = word_of(form)
    asked = bodies.shaped({"requests": form.all("requests"), "reason": reason}, approvals.Words)
    digests = {name: form.one(f"digest-{name}") for name in asked.requests}
    async with view.services.attempts.noted(view.caller.actor, asked.requests, word):
        caller = _decider(view)
    made = await approvals.say_many(view.services, caller, asked.requests, word, asked.reason, digests)
    assert view.session is not None  # noqa: S101 - the door saw to it
    view.session.tell(*told_of_many(made))
    return view.seen_other(PATH)
