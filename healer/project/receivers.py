"""`notifications` of `healer.yaml`: who is told of what, by which channel. Callers: `settings` reads it, the daemon asks for `receivers`.

A channel is a plugin (`notifiers`): what stands under `channels` is its account, what a receiver says under its name is where to. Both are
checked with the shapes of the plugin; a channel that nobody names needs no account.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import pydantic

from healer import config, errors, plugins, wording
from healer.catalog import building

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
RECEIVERS_MAX: Final = 200
HEARS: Final = "news"
"""The key of a receiver beside its channel."""
News = Literal[
    "needs_approval", "failed", "unknown", "not_done", "breaker_open", "storm", "source_silent", "reload_refused", "batch_refused",
    "audit_broken", "break_glass", "paused", "succeeded", "deferred",
]  # fmt: skip
AT_ONCE: Final[tuple[News, ...]] = (
    "needs_approval", "failed", "unknown", "not_done", "breaker_open", "storm", "source_silent", "reload_refused", "batch_refused",
    "audit_broken", "break_glass", "paused",
)  # fmt: skip
GROUPED: Final[Mapping[News, float]] = {"succeeded": 300.0, "deferred": 900.0}
Receiver = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"),
    plugins.Wanted("the name of a receiver"),
]


class Escalation(plugins.Options):
    """Where what nobody answers goes: to these receivers, one after the other, each after another while."""

    to: Annotated[list[Receiver], pydantic.Field(min_length=1, max_length=20)]
    after: Annotated[plugins.Duration, pydantic.Field(ge=60, le=86_400)] = 900.0


class Hears(plugins.Options):
    """What a receiver says beside its channel."""

    news: Annotated[list[News], pydantic.Field(min_length=1)] | None = None


class Notifications(plugins.Options):
    """Who is told of what. `channels` and `receivers` as written."""

    channels: dict[str, Any] = pydantic.Field(default={})
    receivers: Annotated[dict[str, Any], pydantic.Field(max_length=RECEIVERS_MAX)] = pydantic.Field(default={})
    at_once: list[News] = pydantic.Field(default=[*AT_ONCE])
    grouped: dict[News, Annotated[plugins.Duration, pydantic.Field(ge=1, le=86_400)]] = pydantic.Field(
        default={**GROUPED}
    )
    escalate: Escalation | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """A receiver, read: its channel, and the options of it there."""

    name: str
    channel: str
    options: Any


def receivers(of: Notifications) -> list[Told]:
    """All of them, of settings that were checked."""
    made = []
    for name, written in of.receivers.items():
        channel = next(key for key in written if key != HEARS)
        options = plugins.made_of(notifier(channel).Options, written[channel])
        made.append(Told(name, channel, options))
    return made


def account(of: Notifications, channel: str) -> Any:
    """The account of a channel, of settings that were checked."""
    return plugins.made_of(notifier(channel).Account, of.channels.get(channel))


def notifier(channel: str) -> type[plugins.Notifier]:
    """The class of a channel. Raises `plugins.UnknownPlugin`, `plugins.BrokenPlugin`."""
    module = plugins.find("notifiers", channel)
    found = getattr(module, "NOTIFIER", module)
    if isinstance(found, type) and issubclass(found, plugins.Notifier):
        return found
    where = str(getattr(module, "__file__", channel))
    raise plugins.BrokenPlugin(what="notifier", name=channel, where=where, reason="NOTIFIER is no Notifier class")


def check(document: config.Document, value: config.Map) -> None:
    """What the shape of `notifications` does not say: channels, their accounts, where receivers are, and who is named."""
    written = value.get("notifications")
    if not isinstance(written, config.Map):
        return
    channels, named = written.get("channels"), written.get("receivers")
    if isinstance(channels, config.Map):
        for name in channels:
            if (plugin := _plugin(document, name, channels.keys_at.get(name))) is not None:
                at = channels.values_at.get(name)
                plugins.conceal(document, plugin.Account, channels[name])
                plugins.check_options(document, plugin.Account, channels[name], at, f"the channel {name}")
    if isinstance(named, config.Map):
        for name in named:
            _receiver(document, channels, named, name)
            _person(document, value.get("principals"), named[name])
        _escalation(document, written, [*named])


def _plugin(document: config.Document, name: Any, at: config.Mark | None) -> type[plugins.Notifier] | None:
    try:
        plugin = notifier(str(name))
    except plugins.UnknownPlugin:
        known = plugins.names("notifiers")
        near = errors.nearest(str(name), known) or f"there are: {', '.join(known)}"
        document.error("unknown-channel", f"there is no channel {wording.shown(name)}", at, near)
        return None
    except errors.HealerError as error:
        document.error(error.code, error.message, at, error.try_)
        return None
    for module, extra in plugin.packages.items():
        if importlib.util.find_spec(module) is None:
            message = f"the channel {name} needs a package that is not installed: {module.replace('_', '-')}"
            document.warning("missing-extra", message, at, f"pip install 'auto-healer[{extra}]'")
    return plugin


def _receiver(document: config.Document, channels: Any, named: config.Map, name: Any) -> None:
    written, at = named[name], named.keys_at.get(name)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        document.error(
            "name", f"{wording.shown(name)} is no name of a receiver", at, "letters, digits, _ . - (at most 64)"
        )
    keys = [key for key in written if key != HEARS] if isinstance(written, config.Map) else []
    if len(keys) != 1:
        mark = named.values_at.get(name, at)
        document.error(
            "wrong-type",
            f"the receiver {wording.shown(name)} has to be a mapping with one channel",
            mark,
            "{slack: {channel: …}}",
        )
        return
    plugins.check_options(document, Hears, building.without(written, keys), at, f"the receiver {name}")
    channel = keys[0]
    plugin = _plugin(document, channel, written.keys_at.get(channel))
    if plugin is None:
        return
    plugins.conceal(document, plugin.Options, written[channel])
    plugins.check_options(
        document, plugin.Options, written[channel], written.values_at.get(channel), f"the receiver {name}"
    )
    needs = any(field.is_required() for field in plugin.Account.model_fields.values())
    if needs and not (isinstance(channels, config.Map) and channel in channels):
        try_ = f"notifications: {{channels: {{{channel}: {{…}}}}}}"
        document.error(
            "missing-key", f"the receiver {name} is told by {channel}, of which there is no account", at, try_
        )


def _person(document: config.Document, people: Any, written: Any) -> None:
    """A receiver that is a principal has to be one, whom its channel knows."""
    for channel, options in written.items() if isinstance(written, config.Map) else ():
        who = options.get("principal") if isinstance(options, config.Map) else None
        if not isinstance(who, str) or channel not in plugins.names("notifiers"):
            continue
        known, identity = people if isinstance(people, config.Map) else {}, notifier(channel).identity
        at = options.values_at.get("principal")
        if who not in known:
            near = errors.nearest(who, map(str, known)) or "principals: {…} in healer.yaml"
            document.error("unknown-principal", f"there is no principal {wording.shown(who)}", at, near)
        elif identity and not (isinstance(known[who], config.Map) and known[who].get(identity)):
            document.error(
                "unknown-principal",
                f"the principal {who} has no {identity}: nobody would be told",
                at,
                f"{identity}: … with {who}",
            )


def _escalation(document: config.Document, written: config.Map, known: list[Any]) -> None:
    found = written.get("escalate")
    to = found.get("to") if isinstance(found, config.Map) else None
    if not isinstance(to, config.Seq):
        return
    for number, name in enumerate(to):
        if name not in known:
            near = errors.nearest(str(name), map(str, known)) or f"there are: {', '.join(map(str, known))}"
            document.error("unknown-receiver", f"there is no receiver {wording.shown(name)}", to.items_at[number], near)
