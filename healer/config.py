"""YAML with positions: every file an operator writes is read here, so that a mistake can be shown where it stands.

A mapping becomes a `Map` and a sequence a `Seq`: plain `dict` and `list` subclasses that also know where each key and
value stands. Callers: `rulebook`, `catalog`, `project`. Why our own walk over PyYAML's nodes: its constructors drop the
marks. Only the safe tags exist, as in `yaml.safe_load`, which is what ansible-rulebook reads with.
"""

from __future__ import annotations

import datetime
import math
import pathlib
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from healer import errors

NODES_MAX: Final = 2_000_000
DEPTH_MAX: Final = 100
BYTES_MAX: Final = 64 << 20

Mark = tuple[int, int, int]
"""1-based line, 1-based column, length of the token in characters (1 where it is not a scalar)."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STR: Final = "tag:yaml.org,2002:str"
_MERGE: Final = "tag:yaml.org,2002:merge"


class Map(dict[Any, Any]):
    """A mapping with the marks of its keys and values."""

    __slots__ = ("keys_at", "mark", "values_at")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.keys_at: dict[Any, Mark] = {}
        self.values_at: dict[Any, Mark] = {}

    def __reduce__(self) -> Any:
        return (_map_again, (self.mark, dict(self), self.keys_at, self.values_at))


class Seq(list[Any]):
    """A sequence with the marks of its items."""

    __slots__ = ("items_at", "mark")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.items_at: list[Mark] = []

    def __reduce__(self) -> Any:
        return (_seq_again, (self.mark, list(self), self.items_at))


def _map_again(mark: Mark, items: dict[Any, Any], keys_at: dict[Any, Mark], values_at: dict[Any, Mark]) -> Map:
    again = Map(mark)
    again.update(items)
    again.keys_at, again.values_at = keys_at, values_at
    return again


def _seq_again(mark: Mark, items: list[Any], items_at: list[Mark]) -> Seq:
    again = Seq(mark)
    again.extend(items)
    again.items_at = items_at
    return again


class Document:
    """One read file: its value, its lines, and the diagnostics found in it so far.

    `value` is a `Map`, `Seq`, scalar or None (an empty file). Rooms above add to `diagnostics` with `error`/`warning`.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.lines = text.splitlines()
        self.value: Any = None
        self.diagnostics: list[errors.Diagnostic] = []

    def place(self, mark: Mark | None) -> errors.Place:
        """The mark as file, line and column."""
        return errors.Place(self.file, *(mark[:2] if mark else (0, 0)))

    def diagnostic(
        self, severity: errors.Severity, code: str, message: str, mark: Mark | None, try_: str = ""
    ) -> errors.Diagnostic:
        """Make a diagnostic that stands at `mark`, and keep it."""
        text = self.lines[mark[0] - 1] if mark and 0 < mark[0] <= len(self.lines) else ""
        found = errors.Diagnostic(code, message, self.place(mark), severity, text, mark[2] if mark else 1, try_)
        self.diagnostics.append(found)
        return found

    def error(self, code: str, message: str, mark: Mark | None, try_: str = "") -> None:
        """Keep an error."""
        self.diagnostic("error", code, message, mark, try_)

    def warning(self, code: str, message: str, mark: Mark | None, try_: str = "") -> None:
        """Keep a warning."""
        self.diagnostic("warning", code, message, mark, try_)

    @property
    def ok(self) -> bool:
        """No error so far (warnings do not count)."""
        return all(d.severity != "error" for d in self.diagnostics)


def read_file(path: pathlib.Path, shown_as: str, *, duplicate_keys: errors.Severity = "error") -> Document:
    """Read one YAML file. What is wrong with it stands in the document's diagnostics; nothing is raised."""
    try:
        raw = path.read_bytes()
        if len(raw) > BYTES_MAX:
            raise ValueError(f"the file has {len(raw)} bytes, more than {BYTES_MAX}")
        text = raw.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        document = Document(shown_as, "")
        document.error("unreadable", f"the file cannot be read: {reason}", None)
        return document
    return read_text(text, shown_as, duplicate_keys=duplicate_keys)


def read_text(text: str, shown_as: str, *, duplicate_keys: errors.Severity = "error") -> Document:
    """Read YAML text; as `read_file`."""
    document = Document(shown_as, text)
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                document.value = _Walk(document, loader, duplicate_keys).value(node, 0)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        message = "not YAML: " + " ".join(str(part) for part in (error.context, error.problem) if part)
        document.error("yaml", message, (at.line + 1, at.column + 1, 1) if at else None)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = text.count("\n", 0, getattr(error, "position", 0) or 0) + 1
        document.error("yaml", f"not YAML: {_short(error)}", (line, 1, 1))
    return document


def _short(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return f"nested deeper than {DEPTH_MAX} levels"
    return str(error).splitlines()[0]


class _Walk:
    """Turns PyYAML's nodes into values with marks."""

    def __init__(self, document: Document, loader: Any, duplicate_keys: errors.Severity) -> None:
        self.document = document
        self.loader = loader
        self.duplicate_keys = duplicate_keys
        self.nodes = 0

    def value(self, node: Any, depth: int) -> Any:
        self.nodes += 1
        if self.nodes > NODES_MAX:
            raise ValueError(f"more than {NODES_MAX} values (aliases counted each time)")
        if depth > DEPTH_MAX:
            raise RecursionError
        if node.tag == _STR and type(node) is yaml.ScalarNode:
            return node.value
        if type(node) is yaml.MappingNode:
            return self.mapping(node, depth)
        if type(node) is yaml.SequenceNode:
            return self.sequence(node, depth)
        return self.scalar(node)

    def scalar(self, node: Any) -> Any:
        try:
            value = self.loader.construct_object(node)
        except yaml.MarkedYAMLError as error:
            raise yaml.constructor.ConstructorError(None, None, error.problem, node.start_mark) from error
        if isinstance(value, datetime.date):  # upstream keeps them; JSON has none: the text stands for it
            return node.value
        return value

    def sequence(self, node: Any, depth: int) -> Seq:
        made = Seq(mark_of(node))
        for item in node.value:
            made.append(self.value(item, depth + 1))
            made.items_at.append(mark_of(item))
        return made

    def mapping(self, node: Any, depth: int) -> Map:
        made = Map(mark_of(node))
        for key_node, value_node in self.pairs(node, depth):
            key = self.value(key_node, depth + 1)
            if isinstance(key, dict | list):
                raise yaml.constructor.ConstructorError(None, None, "a key has to be a scalar", key_node.start_mark)
            if isinstance(key, float) and math.isnan(key):  # it could never be found again
                raise yaml.constructor.ConstructorError(None, None, "a key cannot be .nan", key_node.start_mark)
            at = mark_of(key_node)
            if key in made.keys_at:
                self.document.diagnostic(
                    self.duplicate_keys, "duplicate-key", f"the key {key!r} stands here twice; the last one counts", at
                )
            made[key] = self.value(value_node, depth + 1)
            made.keys_at[key], made.values_at[key] = at, mark_of(value_node)
        self.merge(node, made, depth)
        return made

    def pairs(self, node: Any, depth: int) -> Iterator[tuple[Any, Any]]:
        for key_node, value_node in node.value:
            if key_node.tag != _MERGE:
                yield key_node, value_node

    def merge(self, node: Any, made: Map, depth: int) -> None:
        """Take what `<<: *anchor` brings; a key that stands in the mapping itself wins."""
        for key_node, value_node in node.value:
            if key_node.tag != _MERGE:
                continue
            sources = value_node.value if type(value_node) is yaml.SequenceNode else [value_node]
            for source in sources:
                if type(source) is not yaml.MappingNode:
                    raise yaml.constructor.ConstructorError(None, None, "<< wants a mapping", value_node.start_mark)
                other = self.mapping(source, depth + 1)
                for key in other:
                    if key not in made:
                        made[key] = other[key]
                        made.keys_at[key], made.values_at[key] = other.keys_at[key], other.values_at[key]


def mark_of(node: Any) -> Mark:
    """Where a node begins, and how long it is if it is a one-line scalar."""
    start, end = node.start_mark, node.end_mark
    scalar = type(node) is yaml.ScalarNode and start.line == end.line
    return (start.line + 1, start.column + 1, max(1, end.column - start.column) if scalar else 1)


_LONG = re.compile(r"\s*(\d+)\s+(millisecond|second|minute|hour|day)s?\s*")
_SHORT_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")
_UNIT_S: Final = {
    "millisecond": 0.001, "second": 1, "minute": 60, "hour": 3600, "day": 86400,
    "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400,
}  # fmt: skip


def duration_s(text: object) -> float:
    """Seconds of `5 minutes` or `5m`; ValueError says what was got and wanted."""
    if isinstance(text, str) and (found := _LONG.fullmatch(text) or _SHORT_FORM.fullmatch(text)):
        return float(found[1]) * _UNIT_S[found[2]]
    raise ValueError(f"a duration like '5 minutes' or '5m' is wanted, got {text!r}")


_SIZE = re.compile(r"\s*(\d+)\s*(B|KB|MB|GB|KiB|MiB|GiB)?\s*")
_SIZE_OF: Final = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def size_bytes(text: object) -> int:
    """Bytes of `100 MB`, `2 MiB` or a whole number; ValueError says what was got and wanted."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    if isinstance(text, str) and (found := _SIZE.fullmatch(text)):
        return int(found[1]) * _SIZE_OF[found[2] or "B"]
    raise ValueError(f"a size like '100 MB' or '2 MiB' is wanted, got {text!r}")
