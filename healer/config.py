"""YAML with positions: every file an operator writes is read here, so that a mistake can be shown where it stands.

A mapping becomes a `Map` and a sequence a `Seq`: plain `dict` and `list` subclasses that also know where each key and
value stands. Callers: `rulebook`, `catalog`, `project`. Why our own walk over PyYAML's nodes: its constructors drop the
marks, and some raise whatever comes. Only the safe tags exist, as in `yaml.safe_load`, which is what ansible-rulebook reads
with; of its collections only mappings and sequences, since JSON has no others.
"""

from __future__ import annotations

import codecs
import dataclasses
import datetime
import errno
import itertools
import math
import os
import pathlib
import stat
from collections.abc import Callable, Collection
from typing import Any, Final

import yaml

from healer import errors, model, quoting, unparsed

NODES_MAX: Final = 2_000_000
DEPTH_MAX: Final = 100
BYTES_MAX: Final = 64 << 20
INT_BITS_MAX: Final = 14_000
"""Python writes no longer ones as text (`sys.get_int_max_str_digits()`), so that they would fail far from here."""

Mark = tuple[int, int, int]
"""1-based line, 1-based column, length of the token in characters (1 where it is not a scalar)."""
Span = tuple[tuple[int, int], tuple[int, int]]
"""From (line, column) up to before another, 1-based."""

_CORE: Final = "tag:yaml.org,2002:"
_STR, _MAP, _SEQ, _MERGE = (_CORE + name for name in ("str", "map", "seq", "merge"))
_SCALARS: Final = frozenset(_CORE + name for name in ("binary", "bool", "float", "int", "null", "str", "timestamp"))
_OF_ANSIBLE: Final = ("!unsafe", "!vault", "!vault-encrypted")
AS_UTF8: Final = "save it as UTF-8"
_ENCRYPTED: Final = "what ansible-vault encrypt_string prints: a text that begins with $ANSIBLE_VAULT;"
SEALED: Final = ...  # stands for what ansible-vault has encrypted


class Map(dict[Any, Any]):
    """A mapping with the marks of its keys and values."""

    __slots__ = ("keys_at", "mark", "values_at")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.keys_at: dict[Any, Mark] = {}
        self.values_at: dict[Any, Mark] = {}

    def __reduce__(self) -> Any:
        places = {"keys_at": self.keys_at, "values_at": self.values_at}
        return (Map, (self.mark,), (None, places), None, iter(self.items()))


class Seq(list[Any]):
    """A sequence with the marks of its items."""

    __slots__ = ("items_at", "mark")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.items_at: list[Mark] = []

    def __reduce__(self) -> Any:
        return (Seq, (self.mark,), (None, {"items_at": self.items_at}), iter(self))


class Document:
    """One read file: its value, its lines, and the diagnostics found in it so far. `unparsed`: it is no YAML, for nobody.

    `value` is a `Map`, `Seq`, scalar or None (an empty file). Rooms above add to `diagnostics` with `error`/`warning`.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.lines = text.splitlines()
        self.value: Any = None
        self.unparsed = False
        self.twice: dict[Span, Span] = {}
        """Where keys that stand twice stand with their values, each with the last place of its key."""
        self._quoted = quoting.Lines(self.lines)
        self.diagnostics: list[errors.Diagnostic] = []

    def place(self, mark: Mark | None) -> errors.Place:
        """The mark as file, line and column."""
        return errors.Place(self.file, *(mark[:2] if mark else (0, 0)))

    def diagnostic(
        self, severity: errors.Severity, code: str, message: str, mark: Mark | None, try_: str = ""
    ) -> errors.Diagnostic:
        """Make a diagnostic that stands at `mark`, and keep it."""
        self._quoted.look_through(self.value)
        text, moved, width = self._quoted.excerpt(mark) if mark else ("", 0, 1)
        message, try_ = self._quoted.said(message, mark), self._quoted.said(try_, mark)
        found = errors.Diagnostic(code, message, self.place(mark), severity, text, width, try_, moved=moved)
        self.diagnostics.append(found)
        return found

    def conceal(self, mark: Mark | None) -> None:
        """Quote nothing of the scalar that stands there from now on: it may be a secret."""
        if mark:
            self._quoted.conceal(mark)

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


class _Refused(Exception):
    """What YAML allows and we do not, and the node at which it stands."""

    def __init__(self, message: str, node: Any, try_: str = "") -> None:
        super().__init__(message)
        self.mark = mark_of(node)
        self.try_ = try_


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]  # which of the two it is shows at run time only
    """Counts while PyYAML composes: its C code recurses for each level, and would end the process before we see a node.

    These two methods are called around every node (they are for path resolvers, which nobody has here), so it costs nothing.
    """

    depth = -1
    nodes = 0

    def descend_resolver(self, parent: Any, index: Any) -> None:
        self.depth += 1
        self.nodes += 1
        if self.depth > DEPTH_MAX or self.nodes > NODES_MAX:
            _within(self.nodes, self.depth, index if isinstance(index, yaml.Node) else parent)

    def ascend_resolver(self) -> None:
        self.depth -= 1


def _within(nodes: int, depth: int, node: Any) -> None:
    if nodes > NODES_MAX:
        raise _Refused(f"more than {NODES_MAX} values (aliases counted each time)", node)
    if depth > DEPTH_MAX:
        raise _Refused(f"nested deeper than {DEPTH_MAX} levels", node)


def read_file(path: pathlib.Path, shown_as: str, *, twice: errors.Severity = "error") -> Document:
    """Read one YAML file. What is wrong with it stands in the document's diagnostics; nothing is raised."""
    raw = b""
    try:
        raw = _read_bytes(path)
        text = raw.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        document = Document(shown_as, "")
        document.error("unreadable", f"the file cannot be read: {reason}", place_of(error, raw))
        return document
    return read_text(text, shown_as, twice=twice)


def place_of(error: Exception, raw: bytes) -> Mark | None:
    """Where a byte stands that is no UTF-8; None for what else is wrong with a file."""
    if not isinstance(error, UnicodeDecodeError):
        return None
    raw = raw.removeprefix(codecs.BOM_UTF8)
    before = raw[: error.start].decode(errors="replace")
    return before.count("\n") + 1, len(before) - before.rfind("\n"), 1


def _read_bytes(path: pathlib.Path) -> bytes:
    # O_NONBLOCK: opening a named pipe that nobody writes to would stop the caller.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is no regular file")
        with open(descriptor, "rb", closefd=False) as file:
            raw = file.read(BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(raw) > BYTES_MAX:
        raise ValueError(f"the file has {max(len(raw), found.st_size)} bytes, more than {BYTES_MAX}")
    return raw


def read_text(
    text: str, file: str, *, twice: errors.Severity = "error", counting: Collection[Span] = (), ansible: bool = False,
    vaulted: Callable[[str], Any] | None = None,
) -> Document:  # fmt: skip
    """Read YAML text; as `read_file`. `twice`: what a key is that stands more than once. `ansible`: with the tags of Ansible;
    `vaulted`: with those of ansible-vault, and what stands for such a text.

    Of such a key the last place counts, or one that is named in `counting` (as `Document.twice` has it).
    """
    document = Document(file, text)
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                tags = _OF_ANSIBLE if ansible else _OF_ANSIBLE[1:] if vaulted else ()
                document.value = _Walk(document, loader, twice, counting, tags, vaulted).value(node, 0)
        finally:
            loader.dispose()
    except _Refused as error:
        document.error("yaml", f"not YAML: {error}", error.mark, error.try_)
    except yaml.MarkedYAMLError as error:
        at, try_ = unparsed.meant(error, document.lines)
        message = "not YAML: " + " ".join(str(part) for part in (error.context, error.problem) if part)
        document.error("yaml", message, at, try_)
        document.unparsed = True
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        reason = f"nested deeper than {DEPTH_MAX} levels" if deep else str(error).splitlines()[0]
        document.error("yaml", f"not YAML: {reason}", _place_of(error, text))
    return document


def _place_of(error: Exception, text: str) -> Mark:
    """The place of a character that YAML does not allow; the first line where nothing is known."""
    position = error.start if isinstance(error, UnicodeEncodeError) else -1
    if isinstance(error, yaml.reader.ReaderError):  # whose own position is in bytes with the one loader only
        position = text.find(chr(error.character))
    before = f"{text[: max(0, position)]}x".splitlines()  # some of these characters would end a line for it
    return len(before), len(before[-1]), 1


@dataclasses.dataclass
class _Walk:
    """Turns PyYAML's nodes into values with marks."""

    document: Document
    loader: Any
    severity: errors.Severity
    counting: Collection[Span]
    tags: Collection[str]
    vaulted: Callable[[str], Any] | None
    nodes: int = 0
    told: set[tuple[int, Mark]] = dataclasses.field(default_factory=set)

    def value(self, node: Any, depth: int) -> Any:
        self.nodes += 1
        if depth > DEPTH_MAX or self.nodes > NODES_MAX:
            _within(self.nodes, depth, node)
        if node.tag == _STR and type(node) is yaml.ScalarNode:
            return node.value
        if node.tag in self.tags:
            if node.tag != "!unsafe":
                return self.opened(node)
            node.tag = self.loader.resolve(type(node), node.value, (True, False))
        if type(node) is yaml.MappingNode:
            return self.mapping(node, depth)
        if type(node) is yaml.SequenceNode:
            return self.sequence(node, depth)
        return self.scalar(node)

    def opened(self, node: Any) -> Any:
        if type(node) is not yaml.ScalarNode:
            raise _Refused(f"{node.tag} stands before a text that ansible-vault encrypted", node)
        if self.vaulted and not node.value.lstrip().startswith(model.VAULTED):  # its line may be a secret
            said, place = f"what stands after {node.tag} is not vaulted", self.document.place(mark_of(node))
            self.document.diagnostics.append(errors.Diagnostic("vault", said, place, try_=_ENCRYPTED))
        return self.vaulted(node.value) if self.vaulted else SEALED

    def scalar(self, node: Any) -> Any:
        if node.tag not in _SCALARS:
            raise _Refused(_no_tag(node), node, unparsed.about_tag(node.tag))
        try:
            value = self.loader.construct_object(node)
            if isinstance(value, int) and value.bit_length() > INT_BITS_MAX:
                raise ValueError
        except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, ValueError) as error:
            message = f"{shown(node.value)} is no {node.tag.removeprefix(_CORE)}"
            raise _Refused(message, node, "put it in quotes if it is a text") from error
        if isinstance(value, datetime.date):  # upstream keeps them; JSON has none: the text stands for it
            return node.value
        return value

    def sequence(self, node: Any, depth: int) -> Seq:
        if node.tag != _SEQ:
            raise _Refused(_no_tag(node), node, unparsed.about_tag(node.tag))
        made = Seq(mark_of(node))
        made.extend(self.value(item, depth + 1) for item in node.value)
        made.items_at.extend(map(mark_of, node.value))
        return made

    def mapping(self, node: Any, depth: int) -> Map:
        if node.tag != _MAP:
            raise _Refused(_no_tag(node), node, unparsed.about_tag(node.tag))
        made = Map(mark_of(node))
        merges: list[Any] = []
        pairs: dict[Any, list[tuple[Any, Any]]] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE and type(key_node) is yaml.ScalarNode:
                if merges:
                    self.twice(node, "<<", mark_of(key_node), "; one << takes a list")
                merges.append(value_node)
                continue
            try:
                key, at = self.key(key_node, depth), mark_of(key_node)
            except _Refused:
                for _, before in itertools.chain.from_iterable(pairs.values()):
                    self.value(before, depth + 1)  # what stands twice in there is told all the same
                raise
            if key in pairs:
                first = next(one for one in pairs if one == key)
                self.twice(node, key, at, f", already in line {pairs[key][-1][0].start_mark.line + 1}", first)
            pairs.setdefault(key, []).append((key_node, value_node))
        for key, found in pairs.items():
            key_node, value_node = found[0] if len(found) == 1 else self.counted(found, depth)
            made[key] = self.value(value_node, depth + 1)
            made.keys_at[key], made.values_at[key] = mark_of(key_node), mark_of(value_node)
        for value_node in merges:  # the first one wins, as in one list of them
            self.merge(value_node, made, depth)
        return made

    def key(self, node: Any, depth: int) -> Any:
        key = self.value(node, depth + 1)
        if isinstance(key, dict | list):
            refused = _Refused("a key has to be a scalar", node)
            line, column, _ = refused.mark
            if self.document.lines[line - 1 : line] and self.document.lines[line - 1][:column].endswith("{{"):
                refused.mark, refused.try_ = (line, column - 1, 2), 'put quotes around a template: "{{ … }}"'
            raise refused
        if isinstance(key, float) and math.isnan(key):  # it could never be found again
            raise _Refused("a key cannot be .nan", node)
        return key

    def twice(self, node: Any, key: Any, at: Mark, more: str, first: Any = None) -> None:
        """Tell a key that stands twice, once: each alias of the mapping is walked again."""
        if (id(node), at) not in self.told:
            self.told.add((id(node), at))
            message = f"the key {shown(key)} stands here twice{more}"
            try_ = "one of them has to go" if self.severity == "error" else "the last one counts"
            if first is not None and type(first) is not type(key):  # 1 and true are equal to Python alone
                message = f"{first} and {key} are one key here{more}: a name has to be a text".lower()
                try_ = "put both in quotes" if self.severity == "error" else try_
            self.document.diagnostic(self.severity, "duplicate-key", message, at, try_)

    def counted(self, found: list[tuple[Any, Any]], depth: int) -> tuple[Any, Any]:
        """Of a key's places the one that counts. The others are looked through for what stands twice in them."""
        marks = [(key_node.start_mark, value_node.end_mark) for key_node, value_node in found]
        spans = [((at.line + 1, at.column + 1), (to.line + 1, to.column + 1)) for at, to in marks]
        counts = next((number for number, span in enumerate(spans) if span in self.counting), len(spans) - 1)
        for number, span in enumerate(spans):
            if span[0] < span[1]:  # else an alias: what that stands for is not hidden
                self.document.twice[span] = spans[-1]
            if number != counts:
                self.value(found[number][1], depth + 1)
        return found[counts]

    def merge(self, node: Any, made: Map, depth: int) -> None:
        """Take what `<<: *anchor` brings; a key that stands in the mapping itself wins."""
        for source in node.value if type(node) is yaml.SequenceNode and node.tag == _SEQ else [node]:
            if type(source) is not yaml.MappingNode:
                raise _Refused("<< wants a mapping", node)
            other = self.value(source, depth + 1)
            self.nodes += len(other)
            _within(self.nodes, depth, node)
            for key in other:
                if key not in made:
                    made[key] = other[key]
                    made.keys_at[key], made.values_at[key] = other.keys_at[key], other.values_at[key]


def _no_tag(node: Any) -> str:
    if node.tag in (_MAP, _SEQ, *_SCALARS):
        return f"a {node.id} cannot have the tag !!{node.tag.removeprefix(_CORE)}"
    return f"could not determine a constructor for the tag {shown(node.tag)}"


def mark_of(node: Any) -> Mark:
    """Where a node begins, and how long it is if it is a one-line scalar."""
    start, end = node.start_mark, node.end_mark
    scalar = type(node) is yaml.ScalarNode and start.line == end.line
    return (start.line + 1, start.column + 1, max(1, end.column - start.column) if scalar else 1)


SHOWN_MAX: Final = quoting.SHOWN_MAX
shown = quoting.shown
