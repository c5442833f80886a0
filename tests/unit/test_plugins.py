"""The contracts of plugins, finding one by its name, and telling mistakes in options where they stand."""

from __future__ import annotations

import asyncio
import importlib
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import hypothesis
import pydantic
import pytest
from hypothesis import strategies as st

from healer import config, errors, model, plugins

KINDS: tuple[plugins.Kind, ...] = ("sources", "formats", "checks", "controllers")
kinds = pytest.mark.parametrize("kind", KINDS)
folders = pytest.mark.parametrize("kind", ["sources", "checks", "controllers"])
"""Those a project may have of its own."""


@pytest.fixture(autouse=True)
def _modules_as_before() -> Iterator[None]:
    """What a test imports is gone after it."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("healer_project_", "far_")):
            del sys.modules[name]


def write(project: pathlib.Path, kind: str, name: str, text: str = "MARK = 'own'\n") -> pathlib.Path:
    """A plugin file in a project's folder."""
    folder = project / kind
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(text)
    return path


def install(monkeypatch: pytest.MonkeyPatch, site: pathlib.Path, points: str, **modules: str) -> None:
    """An installed package with entry points."""
    info = site / "far-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: far\nVersion: 1\n")
    (info / "entry_points.txt").write_text(points)
    for name, text in modules.items():
        (site / f"{name}.py").write_text(text)
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    importlib.invalidate_caches()


@pytest.mark.parametrize(("kind", "some"), [
    ("sources", {"api", "webhook"}), ("formats", {"alertmanager", "generic"}), ("checks", {"disk", "http"}), ("controllers", {"ansible", "local"}),
])  # fmt: skip
def test_built_in_plugins_are_their_files(kind: plugins.Kind, some: set[str]) -> None:
    found = plugins.builtin_names(kind)
    assert set(found) >= some
    assert found == sorted(found)
    assert not any(name.startswith("_") for name in found)


@folders
def test_a_projects_own_plugins_are_its_files(kind: plugins.Kind, tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, kind, "mine")
    for odd in ("_private", "__init__", "Upper", "9th", "with-dash", "a.b", "x" * 65, "ümlaut"):
        write(tmp_path, kind, odd)
    (tmp_path / kind / "notes.txt").write_text("")
    assert plugins.project_names(kind, tmp_path) == {"mine": path}
    assert plugins.project_names(kind, tmp_path / "none") == {}
    assert write(tmp_path, kind, "x" * 64).stem in plugins.project_names(kind, tmp_path)


@folders
def test_a_built_in_file_is_no_plugin_of_the_project(
    kind: plugins.Kind, tmp_path: pathlib.Path, repository: pathlib.Path
) -> None:
    assert plugins.project_names(kind, repository) == {}
    name = plugins.builtin_names(kind)[0]
    (tmp_path / kind).mkdir()
    (tmp_path / kind / "link.py").symlink_to(repository / kind / f"{name}.py")
    copied = write(tmp_path, kind, name)
    assert plugins.project_names(kind, tmp_path) == {name: copied}
    copied.write_bytes((repository / kind / f"{name}.py").read_bytes())
    assert plugins.project_names(kind, tmp_path) == {}


@kinds
def test_entry_points_are_known_by_their_kind(
    kind: plugins.Kind, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path, "".join(f"[healer.{one}]\nfar_{one} = far_x:A\n" for one in KINDS))
    found = plugins.entry_points(kind)
    assert {name for name in found if name.startswith("far_")} == {f"far_{kind}"}
    assert found[f"far_{kind}"].value == "far_x:A"


def test_all_names_are_sorted_and_nothing_is_imported_for_them(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "sources", "mine", "raise SystemExit('imported')\n")
    write(tmp_path, "sources", "webhook")
    install(monkeypatch, tmp_path / "site", "[healer.sources]\nfar_away = far_gone\nmine = far_gone\n")
    assert plugins.names("sources", tmp_path) == sorted({*plugins.builtin_names("sources"), "far_away", "mine"})
    assert plugins.names("controllers", tmp_path) == plugins.builtin_names("controllers")


@pytest.mark.parametrize(
    ("kind", "name", "attribute"),
    [(kind, name, kind[:-1].upper()) for kind in KINDS for name in plugins.builtin_names(kind)],
)
def test_each_built_in_plugin_is_found(kind: plugins.Kind, name: str, attribute: str) -> None:
    module = plugins.find(kind, name)
    assert module.__name__ == f"healer.{kind}.{name}"
    assert hasattr(module, attribute)


@folders
def test_a_projects_own_plugin_is_found(kind: plugins.Kind, tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, kind, "mine", "import dataclasses\n\n@dataclasses.dataclass\nclass A:\n    b: 'int' = 1\n")
    module = plugins.find(kind, "mine", tmp_path)
    assert (module.__file__, module.A().b) == (str(path), 1)
    other: plugins.Kind = "controllers" if kind == "sources" else "sources"
    write(tmp_path, other, "mine")
    write(tmp_path, kind, "more")
    assert plugins.find(other, "mine", tmp_path) is not plugins.find(kind, "more", tmp_path)
    assert sys.modules[module.__name__] is module  # dataclasses and pickle look it up there
    with pytest.raises(plugins.UnknownPlugin):
        plugins.find(kind, "mine")


def test_the_order_is_built_in_then_project_then_entry_points(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = "[healer.sources]\napi = far_x:MARK\nmine = far_x:MARK\nfar = far_x:MARK\nwhole = far_x\n"
    install(monkeypatch, tmp_path / "site", points, far_x="MARK = 'far'\n")
    write(tmp_path, "sources", "api")
    write(tmp_path, "sources", "mine")
    assert plugins.find("sources", "api", tmp_path).__name__ == "healer.sources.api"
    assert plugins.find("sources", "mine", tmp_path).MARK == "own"
    assert plugins.find("sources", "mine") == "far"
    assert plugins.find("sources", "far", tmp_path) == "far"
    assert plugins.find("sources", "whole", tmp_path).MARK == "far"


@kinds
@pytest.mark.parametrize("name", ["", "_level", "__init__", "../sources/api", "api.py", "os", "API", "a b", "x" * 65])
def test_what_is_no_plugin_is_not_imported(kind: plugins.Kind, name: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(plugins.UnknownPlugin) as caught:
        plugins.find(kind, name, tmp_path)
    assert caught.value.message == f"no {kind[:-1]} is named {name!r}"
    assert caught.value.code == "unknown-plugin"


def test_the_near_name_is_told_also_of_the_projects_own(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "sources", "kafka", "raise SystemExit('imported')\n")
    with pytest.raises(plugins.UnknownPlugin) as caught:
        plugins.find("sources", "kafak", tmp_path)
    assert caught.value.try_ == "did you mean 'kafka'?"
    with pytest.raises(plugins.UnknownPlugin) as far:
        plugins.find("sources", "zzz", tmp_path)
    assert far.value.try_ == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_module_of_anyone\n", "No module named 'no_such_module_of_anyone'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("def\n", "SyntaxError: invalid syntax"),
        ("\0", "source code string cannot contain null bytes"),
    ],
)
@folders
def test_a_plugin_that_cannot_be_imported_is_broken(
    kind: plugins.Kind, text: str, reason: str, tmp_path: pathlib.Path
) -> None:
    path = write(tmp_path, kind, "mine", text)
    with pytest.raises(plugins.BrokenPlugin) as caught:
        plugins.find(kind, "mine", tmp_path)
    assert caught.value.message.startswith(f"the {kind[:-1]} 'mine' ({path}) cannot be used: ")
    assert reason in caught.value.message
    assert caught.value.code == "broken-plugin"
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("value", ["far_gone:A", "far_x:MISSING", "far_bad"])
def test_a_broken_entry_point_is_told_with_what_it_names(
    value: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path, f"[healer.controllers]\nfar = {value}\n", far_x="", far_bad="1 / 0\n")
    with pytest.raises(plugins.BrokenPlugin) as caught:
        plugins.find("controllers", "far")
    assert f"the controller 'far' ({value}) cannot be used: " in str(caught.value)


class Server(plugins.Options):
    """A nested part."""

    host: str
    port: int = 80


class Sample(plugins.Options):
    """Options as a plugin has them."""

    topic: str = "alerts"
    partitions: list[int] = pydantic.Field(default_factory=list, description="which ones")
    servers: list[Server] = pydantic.Field(default_factory=list)
    server: Server | None = None
    mode: Literal["fast", "safe"] = "safe"
    password: plugins.SecretRef | None = None
    wait: plugins.Duration = 60.0
    buffer: plugins.Size = 1024


class Needs(plugins.Options):
    """Two options that have to be there."""

    one: str
    two: int = pydantic.Field(description="the second")


@pytest.mark.parametrize(
    "value",
    [
        {"topic": 1},
        {"port": 1},
        {"partitions": ["1"]},
        {"partitions": [1.0]},
        {"mode": "FAST"},
        {"server": {"host": None}},
    ],
)
def test_options_take_no_unknown_key_and_coerce_nothing(value: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        Sample.model_validate(value)
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        Sample().topic = "x"


@pytest.mark.parametrize("reference", ["env:A", "env:_a1", "file:x", "file:/run/secrets/x y", "file:../x"])
def test_a_reference_to_a_secret(reference: str) -> None:
    assert plugins.SecretRef(secret=reference).secret == reference


@pytest.mark.parametrize(
    "reference",
    ["", "hunter2", "env:", "env:1A", "env:A B", "env:A\n", "file:", "file:\n", "file:x\ny", "ENV:A", " env:A"],
)
def test_what_is_no_reference_to_a_secret(reference: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        plugins.SecretRef(secret=reference)


def test_durations_and_sizes_are_written_as_people_do() -> None:
    made = Sample.model_validate({"wait": "5 minutes", "buffer": "2 MiB"})
    assert (made.wait, made.buffer) == (300.0, 2 << 20)
    for wrong in ({"wait": 300}, {"wait": "5"}, {"buffer": "2 M"}, {"buffer": True}, {"buffer": -1}):
        with pytest.raises(pydantic.ValidationError, match="is wanted, got"):
            Sample.model_validate(wrong)


def source_context() -> plugins.SourceContext:
    return plugins.SourceContext(
        "mine", pathlib.Path("/p"), lambda ref: model.Secret(ref.secret, "v"), lambda level, message: None
    )


def test_a_source_runs_with_its_options_and_context() -> None:
    class Mine(plugins.Source):
        Options = Sample

        async def run(self, emit: plugins.Emit) -> None:
            await emit([{"topic": self.options.topic, "name": self.context.name}])

    got: list[Any] = []

    async def emit(events: Sequence[Any]) -> Sequence[int]:
        got.extend(events)
        return [1]

    asyncio.run(Mine(Sample(), source_context()).run(emit))
    assert got == [{"topic": "alerts", "name": "mine"}]
    assert Mine.resolves is False


def test_what_a_contract_asks_for_has_to_be_there() -> None:
    assert plugins.Source.__abstractmethods__ == {"run"}
    assert plugins.Check.__abstractmethods__ == {"look", "subject"}
    assert plugins.Controller.__abstractmethods__ == {"check", "plan", "run", "find", "follow"}
    with pytest.raises(TypeError, match="abstract"):
        plugins.Source(Sample(), source_context())  # type: ignore[abstract]
    assert (plugins.Controller.needs_inventory, dict(plugins.Controller.packages)) == (False, {})


def check(text: str, shape: type[pydantic.BaseModel] = Sample) -> tuple[Any, config.Document]:
    """What is made of the options under `source:` in a file, and the file's document."""
    document = config.read_text(f"source:\n{text}", "f.yml")
    assert document.diagnostics == []
    value = document.value["source"]
    mark = document.value.keys_at["source"]
    return plugins.check_options(document, shape, value, mark, "the source 'x'"), document


def told(text: str, shape: type[pydantic.BaseModel] = Sample) -> list[tuple[int, int, str, str]]:
    made, document = check(text, shape)
    assert made is None
    assert {(d.code, d.severity) for d in document.diagnostics} == {("options", "error")}
    assert all(d.message.startswith("the source 'x': ") for d in document.diagnostics)
    return [(d.place.line, d.place.column, d.message[16:], d.try_) for d in document.diagnostics]


def test_good_options_become_the_shape() -> None:
    made, document = check("  topic: x\n  servers: [{host: a}]\n  password: {secret: 'env:A'}\n  wait: 5m\n")
    wanted = Sample(topic="x", servers=[Server(host="a")], password=plugins.SecretRef(secret="env:A"))
    assert made == wanted.model_copy(update={"wait": 300.0})
    assert document.diagnostics == []
    assert check("  ~\n")[0] == Sample()


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("  topic: 5\n", 2, 10, "topic: a text is wanted, got 5"),
        ("  partitions: [1,\n    x]\n", 3, 5, "partitions.1: a whole number is wanted, got 'x'"),
        ("  server:\n    host: a\n    port: b\n", 4, 11, "server.port: a whole number is wanted, got 'b'"),
        ("  servers:\n    - host: a\n    - host: 1\n", 4, 13, "servers.1.host: a text is wanted, got 1"),
        ("  mode: slow\n", 2, 9, "mode: 'fast' or 'safe' is wanted, got 'slow'"),
        ("  partitions: {a: 1}\n", 2, 3, "partitions: a list is wanted, got a mapping"),
        ("  servers: [{port: 1}]\n", 2, 13, "the key 'host' is missing"),
        ("  server: {}\n", 2, 11, "the key 'host' is missing"),
    ],
)
def test_a_mistake_is_told_where_it_stands(text: str, line: int, column: int, message: str) -> None:
    assert told(text) == [(line, column, message, "put quotes around it" if "a text" in message else "")]


def test_what_a_validator_says_is_told() -> None:
    ((line, column, message, _),) = told("  topic: x\n  wait: soon\n")
    assert (line, column) == (3, 9)
    assert message.startswith("wait: a duration like '5 minutes' or '5m' is wanted, got 'soon'")


def test_an_unknown_key_has_its_near_name_or_the_list() -> None:
    known = "known: topic, partitions, servers, server, mode, password, wait, buffer"
    assert told("  tpoic: [x]\n") == [(2, 3, "the key 'tpoic' is not known here", "did you mean 'topic'?")]
    assert told("  zzz: {}\n") == [(2, 3, "the key 'zzz' is not known here", known)]
    ((line, _, message, hint),) = told("  server:\n    host: a\n    zzz: {}\n")
    assert (line, message, hint) == (4, "the key 'zzz' is not known here", "known: host, port")


def test_missing_keys_are_told_at_once_where_the_mapping_stands() -> None:
    assert told("  {}\n", Needs) == [(1, 1, f"the key '{name}' is missing", "") for name in ("one", "two")]
    assert len(told("  topic: 1\n  mode: 2\n  wait: 3\n  other: 4\n")) == 4


@pytest.mark.parametrize(("text", "got"), [("  5\n", "5"), ("  text\n", "'text'"), ("  [a]\n", "a list")])
def test_what_is_no_mapping_is_told_at_the_given_mark(text: str, got: str) -> None:
    keys = "topic, partitions, servers, server, mode, password, wait, buffer"
    assert told(text) == [(1, 1, f"a mapping with some of {keys} is wanted, got {got}", "")]


_WORD = st.sampled_from(["topic", "partitions", "servers", "server", "host", "mode", "password", "secret", "wait", "x"])
_LEAF = st.sampled_from(["~", "1", "x", "5m", ".nan", "true", "'env:A'"])
_ITEMS = st.lists(_LEAF, max_size=3).map(lambda items: f"[{', '.join(items)}]")


def mapping(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A flow mapping of some of the names above."""
    pairs = st.dictionaries(_WORD, inner, max_size=3)
    return pairs.map(lambda made: "{" + ", ".join(f"{key}: {value}" for key, value in made.items()) + "}")


@hypothesis.given(_LEAF | mapping(_LEAF | _ITEMS | mapping(_LEAF)))
def test_any_value_gives_the_shape_or_mistakes_with_a_place(text: str) -> None:
    made, document = check(f"  {text}\n")
    assert (made is None) is bool(document.diagnostics)
    for mistake in document.diagnostics:
        assert mistake.place.line in (1, 2)
        assert 1 <= mistake.place.column <= len(text) + 3
        assert "?" not in mistake.message


def test_options_without_marks_are_checked_as_well() -> None:
    document = config.Document("f.yml", "")
    assert plugins.check_options(document, Sample, {"topic": 1}, None, "x") is None
    assert document.diagnostics[0].place == errors.Place("f.yml")


def test_options_are_described_with_default_and_words() -> None:
    assert list(plugins.describe(Needs)) == [("one", "required", ""), ("two", "required", "the second")]
    described = {name: (default, words) for name, default, words in plugins.describe(Sample)}
    assert list(described) == list(Sample.model_fields)
    assert described["topic"] == ("'alerts'", "")
    assert described["partitions"] == ("[]", "which ones")
    assert described["server"] == ("None", "")
