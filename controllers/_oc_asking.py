"""What `oc` asks its cluster without changing anything: whether it is usable, and whose mark an object has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from healer import errors, model
from healer.controllers import _oc_access, _oc_verbs, _oc_words, _shimmed

CHECK_S: Final = 30.0
ASK_S: Final = 10.0
MARKS_S: Final = 15.0
"""A start asks what became of a job, and waits 20 seconds for the answer."""
QUESTIONS_MAX: Final = 20
AT_ONCE: Final = 4
SHOWN_MAX: Final = 5

NEEDS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "rollout restart": (("patch", "deployments.apps"),), "scale": (("patch", "deployments.apps"),),
    "restart-owner": (("get", "pods"), ("get", "replicasets.apps"), ("patch", "deployments.apps")),
    "delete pod": (("delete", "pods"),), "exec": (("create", "pods/exec"),), "cordon": (("patch", "nodes"),),
    "uncordon": (("patch", "nodes"),), "drain": (("patch", "nodes"), ("list", "pods"), ("create", "pods/eviction")),
}  # fmt: skip
"""Verb → what the account has to be allowed (`kubectl auth can-i`), of what most targets are."""
EVERYWHERE: Final = frozenset({"drain"})
"""Verbs whose pods lie in any namespace."""


async def health(access: _oc_access.Access) -> model.Health:
    """Whether the program is there, the API answers and takes the credentials, and allows what the catalog asks."""
    try:
        async with asyncio.timeout(CHECK_S):
            version = await access.ask([access.program(), "version", "--client", "--output=json"], ASK_S)
            client = version.json().get("clientVersion")
            if version.code or not isinstance(client, dict):
                return model.Health(False, _shimmed.one_line(f"{access.program()} does not run: {version.stderr}"))
            who = await access.ask([*access.command("auth", "can-i"), "--", "get", "pods"], ASK_S)
            if who.stdout.strip() not in ("yes", "no"):
                return model.Health(False, _oc_words.told(who.stderr, who.code)[1])
            server = (
                (await access.ask([*access.command("get"), "--raw=/version"], ASK_S))
                .json()
                .get("gitVersion", "unknown")
            )
            lacking, asked, left = await _lacking(access)
    except TimeoutError:
        return model.Health(False, f"the API did not answer all questions within {CHECK_S:g} s")
    except (errors.HealerError, OSError) as error:
        told = (error.message, error.try_) if isinstance(error, errors.HealerError) else (str(error),)
        return model.Health(False, _shimmed.one_line("; ".join(filter(None, told))))
    said = f"{access.program()} {client.get('gitVersion')}, the API is {server}"
    more = f" ({left} more were not asked)" if left else ""
    if lacking:
        shown = ", ".join(lacking[:SHOWN_MAX]) + (
            f" and {len(lacking) - SHOWN_MAX} more" if lacking[SHOWN_MAX:] else ""
        )
        return model.Health(
            False, _shimmed.one_line(f"{said}; the account lacks rights that actions need: {shown}{more}")
        )
    given = f"{asked} rights that actions need are" if asked > 1 else "the one right that actions need is"
    return model.Health(True, _shimmed.one_line(f"{said}; {given} given{more}" if asked else said))


async def _lacking(access: _oc_access.Access) -> tuple[list[str], int, int]:
    """(rights that are missing, how many were asked for, how many were not)."""
    wanted = list(dict.fromkeys(_wanted(access.context.subjects, access.options.namespaces)))
    places = asyncio.Semaphore(AT_ONCE)

    async def may(verb: str, resource: str, namespace: str) -> bool:
        where = [] if namespace else ["--all-namespaces"]
        async with places:
            of, _, part = resource.partition("/")
            where += [f"--subresource={part}"] if part else []
            argv = [*access.command("auth", "can-i", namespace=namespace), *where, "--", verb, of]
            answer = await access.ask(argv, ASK_S)
        return str(answer.stdout).strip() == "yes"

    asked = wanted[:QUESTIONS_MAX]
    answers = await asyncio.gather(*(may(*one) for one in asked))
    lacking = [
        f"{verb} {resource}{f' in {namespace}' if namespace else ''}"
        for (verb, resource, namespace), allowed in zip(asked, answers, strict=True)
        if not allowed
    ]
    return lacking, len(asked), len(wanted) - len(asked)


def _wanted(subjects: Sequence[Any], namespaces: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """(verb, resource, namespace or '') that the actions of the catalog need."""
    for subject in subjects:
        verb = subject.get("verb", "") if isinstance(subject, Mapping) else ""
        for right in NEEDS.get(verb, ()):
            everywhere = verb in EVERYWHERE or right[1] == "nodes"
            yield from ((*right, namespace) for namespace in ([""] if everywhere else namespaces))


async def settled(verbs: _oc_verbs.Verbs, job: model.Job, outcome: model.Outcome) -> model.Outcome:
    """The outcome of which nobody knows it, where the marks on all targets say that it took place."""
    if outcome.state != "unknown" or not _oc_verbs.is_marked(job):
        return outcome
    try:
        async with asyncio.timeout(MARKS_S):
            marks = await _marks(verbs, job)
    except TimeoutError:
        return outcome
    if marks and all(mark == job.token for mark in marks):
        summary = _shimmed.one_line(f"done, as its mark on each target says ({outcome.summary})")
        return model.Outcome(
            "succeeded", summary, outcome.exit_code, outcome.result, {str(one): "succeeded" for one in job.targets},
            outcome.truncated, outcome.seconds,
        )  # fmt: skip
    return outcome


async def _marks(verbs: _oc_verbs.Verbs, job: model.Job) -> list[str]:
    """The mark of each target, '' of none; nothing at all where it cannot be asked."""
    found = []
    try:
        for one in verbs.objects(job):
            argv = [*verbs.access.command("get", namespace=one.namespace), "--output=json", "--", one.resource]
            answer = await verbs.access.ask(argv, ASK_S)
            about = answer.json().get("metadata")
            labels = about.get("labels") if isinstance(about, dict) else None
            if answer.code:
                return []
            found.append(str(labels.get(_oc_verbs.MARK, "")) if isinstance(labels, dict) else "")
    except (errors.HealerError, OSError):
        return []
    return found
