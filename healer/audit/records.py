"""What an audit record is, and its canonical bytes.

Canonical: keys sorted, no white space, ASCII keys, no floats, no integers beyond 2^53. Within those bounds orjson's sorted
output equals RFC 8785 (JCS), so that an auditor can make the same bytes with any JCS library.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

INTEGER_MAX: Final = 2**53
KINDS: Final = {
    "start": "the daemon took the data directory",
    "stop": "the daemon ended by itself",
    "revision": "another set of rules holds from here on",
    "decision": "a run was decided, or decided again",
    "decisions": "a batch of internal actions was decided (count and digest)",
    "intent": "an attempt is about to take effect",
    "outcome": "an attempt ended",
    "transition": "a run changed its state without an attempt",
    "cancel": "a person asked for the end of a run",
    "reload": "a reload that changed nothing, or was refused for mistakes in the files",
    "break_glass": "a person had a run start past its gates",
    "resolved": "a person said how an unknown run ended, or its controller did when they asked",
    "lock_released": "a person let go of a lock",
    "alert_expired": "an alert was closed since nothing was heard of it",
    "delivery_conflict": "a delivery id came again with other bytes",
    "delivery_refused": "a delivery was refused whose sender had proved who it is (at most one record in 10 minutes for each reason)",
    "shutdown": "a rule ended its activation, or made it begin anew",
    "facts_refused": "what an attempt gave to rules was not taken: it feeds itself too deep",
    "cap_reached": "so much was open or waiting that more was not taken",
    "memory_full": "a ruleset began to forget: too much was to be remembered",
    "memory_lost": "what a ruleset remembered could not be carried over to its new rules",
    "snapshot_failed": "what the rules remember could not be written down; a start goes on from the snapshot before",
    "quarantine": "a ruleset could not digest an event",
    "quarantine_released": "a person had an event of the quarantine tried again",
    "quarantine_dropped": "a person gave up an event of the quarantine",
    "resent": "a person sent a stored event once more",
    "breaker_opened": "an action failed on a controller too often",
    "breaker_closed": "an action was seen to help again, or a person said so",
    "storm": "too many matches came at once: nothing new starts until it is calm",
    "audit_broken": "the daily look at the audit found that it does not prove itself",
    "storm_over": "it is calm again: what the storm held comes back, slowly at first",
    "source_silent": "a source was not heard of for longer than its `max_quiet`",
    "source_heard": "a source that was silent is heard again",
    "approval_asked": "a run waits for a word of people",
    "plan": "a controller was asked what a run would do, which took no effect",
    "review": "a person approved or rejected a run",
    "review_refused": "somebody's word on a request was refused, for who they are or what it was for (a few a minute)",
    "silence": "a person silenced alerts or runs for a time",
    "silence_ended": "a silence ended, at its time or before it by a person",
    "key_created": "an API key was made",
    "key_revoked": "an API key was withdrawn",
    "access": "other roles or people hold: who was given, and who lost what",
    "settings": "other settings, sources, controllers, actions or activations hold: what was, and what is",
    "override": "a request chose another controller than the action's own",
    "clock": "the wall clock stepped",
    "pause": "the kill switch was seen",
    "resume": "the kill switch was lifted",
}


def canonical(record: dict[str, Any]) -> bytes:
    """The record's canonical bytes; what `embed` made may be in it.

    Raises ValueError for what has no canonical form here (floats, large integers).
    """
    _check(record)
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def _check(value: Any) -> None:
    kind = type(value)
    if kind is str or kind is bool or value is None or kind is orjson.Fragment:
        return
    if kind is int:
        if not -INTEGER_MAX <= value <= INTEGER_MAX:
            raise ValueError(f"the integer {value} is beyond 2^53")
    elif kind is dict:
        for key, inner in value.items():
            if type(key) is not str or not key.isascii():
                raise ValueError(f"the key {key!r} is not ASCII text")
            _check(inner)
    elif kind is list or kind is tuple:
        for inner in value:
            _check(inner)
    else:
        raise ValueError(f"{value!r} has no canonical form")


def embed(value: Any) -> Any:
    """`value` in a form that `canonical` takes: JSON of any kind as a text where it has floats, large integers or foreign keys.

    What is checked here is written here, and not gone through again.
    """
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    try:
        _check(value)
    except ValueError:
        return text.decode()
    return orjson.Fragment(text)
