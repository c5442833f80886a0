"""The mapping language: how a sender's bodies become events without code, as paths that lead to the words of `event.alert`.

Used by `healer.webhook: {mapping: …}`, for senders of an operator's own, and by the files `NAME.yml` beside this one, which ship. It is no
programming language: a path leads somewhere or nowhere, a word stands in a table or not. What a path finds is only ever looked at.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import re
from typing import Annotated, Any, Final, Literal

import pydantic

from healer import errors, plugins
from healer.formats import _words
from healer.sources import _proof

PATH_MAX: Final = 512
"""Characters of a path."""
_STEP: Final = re.compile(r'([\w@$:-]+)|"((?:[^"\\]|\\["\\])*)"|\[(0|[1-9][0-9]{0,5})\]')
_OPENERS: Final = {'"': 'a key in quotes has no end ("…", \\" and \\\\ in it)', "[": "an index like [0] is wanted"}

# --- paths ----------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Path:
    """A path that is read: keys and positions, from the event (`whole`: from the body). No parts: the thing itself."""

    text: str
    whole: bool
    parts: tuple[str | int, ...]


def parse(text: str) -> Path:
    """`alert.details."my.key"[0]`: keys between dots, positions in brackets; keys of other characters than letters, digits and `_-@$:` in
    double quotes. `/` before it: from the body, where `each` makes several events of one; `.` alone: the thing itself.

    Raises ValueError, which says what is wrong at which character (from 1).
    """
    if len(text) > PATH_MAX:
        raise ValueError(f"no path: it has {len(text)} characters, more than {PATH_MAX}")
    whole = text.startswith("/")
    if text in (".", "/"):
        return Path(".", whole, ())
    parts: list[str | int] = []
    at = int(whole)
    while at < len(text) or not parts:
        dotted = bool(parts) and text[at] == "."
        at += dotted
        found = _STEP.match(text, at)
        if found is None or (parts and (found[3] is None) != dotted):
            raise ValueError(f"no path: at character {at + 1} {_wrong(text[at : at + 1], found, dotted)}")
        bare, quoted, index = found.groups()
        parts.append(int(index) if index else bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        at = found.end()
    return Path(text[int(whole) :], whole, tuple(parts))


def _wrong(char: str, found: re.Match[str] | None, dotted: bool) -> str:
    if found is not None:
        return "a key is missing" if dotted else "a dot is missing"
    if char in ("", ".", "]"):
        return "a key is missing"
    return _OPENERS.get(char) or f"stands {char!r}: a key with it is written in double quotes"


def _at(value: Any, parts: collections.abc.Sequence[str | int]) -> Any:
    """What a path leads to, None for nowhere."""
    for part in parts:
        if isinstance(value, dict) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _without(value: Any, parts: collections.abc.Sequence[str | int]) -> Any:
    """A value without what a path in it leads to: what lies on the way is copied, the rest shared."""
    first, *rest = parts
    if isinstance(value, list):
        return [_without(one, rest) if at == first else one for at, one in enumerate(value) if at != first or rest]
    return {key: _without(one, rest) if key == first else one for key, one in value.items() if key != first or rest}


# --- what is written ------------------------------------------------------------------------------------------------------


def _checked(text: str) -> str:
    parse(text)
    return text


def _how_many(value: object) -> str:
    return "several" if isinstance(value, list) else "one"


PathText = Annotated[
    str,
    pydantic.StringConstraints(max_length=PATH_MAX),
    pydantic.AfterValidator(_checked),
    plugins.Wanted("a path like alert.details[0]"),
]
_One = Annotated[PathText, pydantic.Tag("one")]
_Several = Annotated[list[PathText], pydantic.Field(min_length=1, max_length=16), pydantic.Tag("several")]
_Part = Annotated[_One | _Several, pydantic.Discriminator(_how_many)]
Paths = Annotated[_One | _Several, pydantic.Discriminator(_how_many)]
"""A path, or several of which the first counts that leads to something that is not empty."""
Texts = Annotated[
    _One | Annotated[list[_Part], pydantic.Field(min_length=1, max_length=16), pydantic.Tag("several")],
    pydantic.Discriminator(_how_many),
]
"""As `Paths`; a list in the list is one text of several, `a/b`, which counts where none of them is empty."""
Status = Literal["firing", "resolved", "event", "unknown"]
Severity = Literal["critical", "error", "warning", "info", "unknown"]
Word = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=128),
    plugins.Wanted("a word of the sender's (at most 128 characters)"),
]
Name = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=_words.TEXT_MAX)]
Media = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[a-z0-9][a-z0-9.+-]{0,62}/[a-z0-9][a-z0-9.+-]{0,62}$"),
    plugins.Wanted("a content type like application/vnd.acme+json, in small letters"),
]
Mark = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^(header:[a-z0-9-]{1,64}|[^/.:\s]+(\.[^/.:\s]+)*)$", max_length=PATH_MAX),
    plugins.Wanted("a path like alert.name, or header:NAME in small letters"),
]
Proof = Literal[
    "bearer", "basic", "header", "hmac", "github", "gitlab", "slack", "standard_webhooks", "sentry", "pagerduty", "grafana", "stripe",
    "sns", "url_token", "none",
]  # fmt: skip


class MappedEnd(plugins.Options):
    """Where the words of the alert stand, for what has another place once it is over."""

    name: Texts | None = pydantic.Field(None, description="what is wrong: rules ask for it")
    target: Texts | None = pydantic.Field(None, description="the machine or resource to be healed")
    severity: Paths | None = pydantic.Field(None, description="the sender's word for how bad it is")
    key: Texts | None = pydantic.Field(None, description="what stays the same until it is over; else TARGET/NAME")
    started_at: Paths | None = pydantic.Field(None, description="since when this status holds, kept as it is sent")
    summary: Texts | None = pydantic.Field(None, description="one line for people")
    link: Texts | None = pydantic.Field(None, description="where people look")
    labels: Paths | None = pydantic.Field(None, description="an object of single values, or tags like a:b or a=b")


class MappedFields(MappedEnd):
    """Where the words of the alert stand."""

    status: Paths | None = pydantic.Field(None, description="the sender's word for whether it fires or is over")

    @classmethod
    def _between(cls, given: collections.abc.Mapping[str, Any]) -> collections.abc.Iterator[str]:
        if all(given.get(word) is None for word in cls.model_fields):
            yield "at least one word is wanted, like name: alert.title"


class MappedDefaults(plugins.Options):
    """What words are where their paths lead to nothing."""

    name: Name | None = pydantic.Field(None, description="of the alert")
    target: Name | None = pydantic.Field(None, description="of the alert")
    status: Status | None = pydantic.Field(None, description="else event: nothing is opened that nobody would close")
    severity: Severity | None = pydantic.Field(None, description="else unknown")


class Mapping(plugins.Options):
    """How bodies become events: paths that lead to the words of `event.alert`."""

    resolves: bool = pydantic.Field(False, description="true: the sender says when an alert is over")
    each: PathText | None = pydantic.Field(None, description="a list, each element of which is an event; . is the body")
    fields: MappedFields = pydantic.Field(description="the words of event.alert, and the paths that lead to them")
    resolved: MappedEnd | None = pydantic.Field(None, description="as fields, tried before them once the alert is over")
    statuses: Annotated[dict[Word, Status], pydantic.Field(max_length=256)] = pydantic.Field(
        {}, description="what the sender's words of status mean, beside the common ones"
    )
    severities: Annotated[dict[Word, Severity], pydantic.Field(max_length=256)] = pydantic.Field(
        {}, description="what its words of severity mean, beside the common ones"
    )
    defaults: MappedDefaults | None = pydantic.Field(None, description="of words whose paths lead to nothing")
    delivery: Texts | None = pydantic.Field(None, description="the event's own id, the same when it is sent again")
    delivery_ids: Annotated[list[_proof.HeaderName], pydantic.Field(max_length=8)] = pydantic.Field(
        [], description="headers of its own that name a delivery"
    )
    media: Annotated[list[Media], pydantic.Field(max_length=8)] = pydantic.Field(
        [], description="content types that it sends beside application/json"
    )
    marks: Annotated[list[Mark], pydantic.Field(max_length=16)] = pydantic.Field(
        [], description="by what its bodies are known, for suggestions"
    )
    auth: Annotated[list[Proof], pydantic.Field(min_length=1, max_length=16)] = pydantic.Field(
        ["bearer"], description="how it can prove itself, the best first"
    )
    setup: Annotated[str, pydantic.StringConstraints(max_length=4096)] = pydantic.Field(
        "", description="what is entered at its side, for healer sources show"
    )

    @classmethod
    def _between(cls, given: collections.abc.Mapping[str, Any]) -> collections.abc.Iterator[str]:
        fields = given.get("fields")
        if not isinstance(fields, collections.abc.Mapping):
            return
        for word, needs in (("statuses", "status"), ("severities", "severity"), ("resolved", "status")):
            if given.get(word) and fields.get(needs) is None:
                yield f"'{word}' needs a path in fields.{needs}"
        delivery = given.get("delivery")
        if given.get("each") is not None and isinstance(delivery, str) and delivery.startswith("/"):
            yield "'delivery' has to lead into the element: an id of the whole body is the same for all its events"


# --- what is read with it -------------------------------------------------------------------------------------------------

_Choices = tuple[tuple[Path, ...], ...]
"""Of which the first counts where none of its parts is empty."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """One event's part of a body, the body, and where the part stands in it."""

    value: Any
    body: Any
    at: str

    def get(self, path: Path) -> Any:
        """What a path leads to; None for nowhere, and for what is empty."""
        found = _at(self.body if path.whole else self.value, path.parts)
        return None if isinstance(found, str | list | dict) and not found else found

    def field(self, path: Path) -> str:
        """The path as it is told to people."""
        before = "" if path.whole else self.at
        if not path.parts:
            return before or "body"
        return before + ("." if before and isinstance(path.parts[0], str) else "") + path.text

    def text(self, path: Path, *, strict: bool) -> str:
        """A text, a number, true or false as text; '' for nothing. Raises `errors.InvalidField` for anything else, if `strict`."""
        found = self.get(path)
        if isinstance(found, bool):
            return "true" if found else "false"
        if isinstance(found, str | int | float):
            return str(found)
        if found is not None and strict:
            raise errors.InvalidField(field=self.field(path), detail=f"text is wanted, got {_words.kind(found)}")
        return ""

    def first(self, choices: _Choices, *, strict: bool = False, bounded: bool = False) -> str:
        """The text of the first choice that has one. `bounded`: raise for one that is too long for a name."""
        for choice in choices:
            parts = [self.text(path, strict=strict) for path in choice]
            if all(parts):
                whole = "/".join(parts)
                return _words.text(self.field(choice[0]), whole) if bounded else whole
        return ""


def _choices(written: Any) -> _Choices:
    listed = written if isinstance(written, list) else [] if written is None else [written]
    return tuple(tuple(map(parse, one if isinstance(one, list) else [one])) for one in listed)


def _labels(value: Any) -> dict[str, str]:
    """Labels of an object, a list of tags, or a text of such (split at commas, else at spaces)."""
    if isinstance(value, dict):
        plain = {key: str(one).lower() if isinstance(one, bool) else one for key, one in value.items()}
        return {key: str(one) for key, one in plain.items() if isinstance(one, str | int | float) and one != ""}
    tags = value.split("," if "," in value else None, _words.TAGS_MAX) if isinstance(value, str) else value
    if not isinstance(tags, list):
        return {}
    listed = tags[: _words.TAGS_MAX]
    found: dict[str, str] = _words.tags(
        [re.sub(r"^([^:=]*)=", r"\1:", one) if isinstance(one, str) else one for one in listed]
    )
    return found


class _Reader:
    """A mapping, made ready: its paths are read once."""

    def __init__(self, mapping: Mapping) -> None:
        self.each = None if mapping.each is None else parse(mapping.each)
        self.defaults = {word: getattr(mapping.defaults, word, None) or "" for word in MappedDefaults.model_fields}
        self.fields = {word: _choices(getattr(mapping.fields, word)) for word in MappedFields.model_fields}
        self.ended = {
            word: _choices(getattr(mapping.resolved, word, None)) + made for word, made in self.fields.items()
        }
        self.statuses = {word.strip().lower(): status for word, status in mapping.statuses.items()}
        self.severities = {word.strip().lower(): severity for word, severity in mapping.severities.items()}
        self.delivery = _choices(mapping.delivery)
        paths = [path for made in self.ended.values() for choice in made for path in choice]
        self.leads = [path for path in paths if not (path.whole and self.each)] or paths

    def read(
        self, body: Any, _headers: collections.abc.Mapping[str, str] = plugins.NO_HEADERS
    ) -> list[plugins.Element | plugins.Wrong]:
        """One element, or one for each of `each`. Raises `errors.InvalidField` for a body in which nothing is where it should be."""
        if self.each is None:
            return [self._element(_Place(_words.an_object("body", body), body, ""), {})]
        parts = self.each.parts
        if parts and isinstance(parts[0], str):
            _words.an_object("body", body)
        name = self.each.text if parts else "body"
        listed = _at(body, parts)
        if not isinstance(listed, list):
            got = "nothing" if listed is None else _words.kind(listed)
            raise errors.InvalidField(field=name, detail=f"a list is wanted, got {got}")
        group = {"group": _without(body, parts)} if parts else {}
        made: list[plugins.Element | plugins.Wrong] = _words.each(
            name, listed, lambda at, one: self._element(_Place(_words.an_object(at, one), body, at), group)
        )
        return made

    def _element(self, place: _Place, group: dict[str, Any]) -> plugins.Element:
        if all(place.get(path) is None for path in self.leads):
            known = ", ".join(dict.fromkeys(path.text for path in self.leads))
            raise errors.InvalidField(
                field=place.at or "body", detail=f"nothing is where the mapping looks: {known[:300]}"
            )
        status = self._status(place)
        fields = self.ended if status == "resolved" else self.fields
        severity, raw = self._severity(place, fields["severity"])
        name = place.first(fields["name"], strict=True, bounded=True) or self.defaults["name"]
        target = place.first(fields["target"], strict=True, bounded=True) or self.defaults["target"]
        key = _words.key(place.first(fields["key"], strict=True))
        alert = {
            "name": name,
            "target": target,
            "status": status,
            "severity": severity,
            "severity_raw": raw,
            "key": key or (_words.key(target, name) if name else _words.digest(place.value)),
            "started_at": self._moment(place, fields["started_at"]),
            "summary": place.first(fields["summary"]),
            "link": place.first(fields["link"]),
            "labels": next((found for [path] in fields["labels"] if (found := _labels(place.get(path)))), {}),
        }
        delivery = _words.key(place.first(self.delivery))
        return plugins.Element({"payload": place.value, "alert": alert, **group}, delivery=delivery)

    def _status(self, place: _Place) -> str:
        """The first word that means something; `event` where there is none that does."""
        said = False
        for [path] in self.fields["status"]:
            word = place.text(path, strict=True)
            own = self.statuses.get(word.strip().lower())
            if (status := own or _words.status(word)) != "event" or own:
                return status
            said = said or bool(word)
        return "event" if said else self.defaults["status"] or "event"

    def _severity(self, place: _Place, choices: _Choices) -> tuple[str, str]:
        """The first word that means something, and that word; else the first."""
        words = [word for [path] in choices if (word := place.text(path, strict=False))]
        for word in words:
            own = self.severities.get(word.strip().lower())
            if (severity := own or _words.severity(word)) != "unknown" or own:
                return severity, word
        return ("unknown", words[0]) if words else (self.defaults["severity"] or "unknown", "")

    def _moment(self, place: _Place, choices: _Choices) -> str | int | float:
        """The first text or number, as it is."""
        for [path] in choices:
            found = place.get(path)
            if isinstance(found, str | int | float) and not isinstance(found, bool):
                return found
        return ""


def format_of(name: str, mapping: Mapping) -> plugins.Format:
    """The format that a mapping says."""
    grouped = mapping.each is not None and mapping.each not in (".", "/")
    return plugins.Format(
        name, resolves=mapping.resolves, read=_Reader(mapping).read, fields=("payload.*", *(["group.*"] if grouped else [])),
        media=tuple(mapping.media), delivery_ids=tuple(mapping.delivery_ids), marks=tuple(mapping.marks), auth=tuple(mapping.auth),
        setup=mapping.setup,
    )  # fmt: skip
