"""What the tests of the formats share: the corpus of real bodies with the answers it wants, and what any body must give.

How it is used (all are fixtures, since tests cannot import this file; `Callable[..., Any]` is type enough):

    def test_real_bodies_give_the_expected_values(corpus, meets):
        for case in corpus("grafana"):                  # each a Case: file, body, headers, wanted; by name: corpus("grafana", "legacy")
            meets(grafana.read(case.body, case.headers), case.wanted)

    def test_any_body_gives_elements_or_a_named_mistake(withstands):
        withstands(grafana.read, BODY, OTHER)           # hypothesis: any JSON, and these bodies with a piece exchanged or taken out

    alert(grafana.read(BODY))                           # event.alert of the only element
    path_of(grafana.read, body)                         # the field that is told as wrong: of the body or of its only bad element
"""

from __future__ import annotations

import copy
import dataclasses
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import errors, plugins

Read = Callable[..., Sequence[plugins.Element | plugins.Wrong]]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@dataclasses.dataclass(frozen=True)
class Case:
    """One real body: `headers` in small letters; `wanted`: words of `event.alert`, {} where nothing is said of it."""

    file: str
    body: Any
    headers: Mapping[str, str]
    wanted: Mapping[str, Any]


@pytest.fixture(scope="session")
def corpus(shared: pathlib.Path) -> Callable[..., list[Case]]:
    """`corpus(folder, *names)`: all real bodies of a sender, or those that are named (without `.json`)."""
    index = {one["file"]: one for one in json.loads((shared / "payloads/INDEX.json").read_text())["entries"]}
    wanted = json.loads((shared / "payloads/EXPECT.json").read_text())["files"]

    def cases(folder: str, *names: str) -> list[Case]:
        at = shared / "payloads" / folder
        found = [at / f"{name}.json" for name in names] or sorted(at.glob("*.json"))
        assert found, f"no body lies in {at}"
        return [_case(f"{folder}/{path.name}", path, index, wanted) for path in found]

    return cases


def _case(file: str, path: pathlib.Path, index: Mapping[str, Any], wanted: Mapping[str, Any]) -> Case:
    given = index.get(file, {}).get("headers") or {}
    headers = {name.lower(): str(value) for name, value in given.items()}
    return Case(file, json.loads(path.read_text()), headers, wanted.get(file, {}))


@pytest.fixture(scope="session")
def meets() -> Callable[..., None]:
    """`meets(found, wanted)`: `found` are elements or alerts. A list wants one event each in any order, else the first is meant."""

    def compare(found: Sequence[Any], wanted: Mapping[str, Any]) -> None:
        assert found, "no event"
        alerts = [one.event["alert"] if isinstance(one, plugins.Element) else one for one in found]
        for word, value in wanted.items():
            if isinstance(value, list):
                assert sorted(one[word] for one in alerts) == sorted(value), word
            else:
                assert alerts[0][word] == value, word

    return compare


@pytest.fixture(scope="session")
def alert() -> Callable[..., dict[str, Any]]:
    """`alert(elements)`: `event.alert` of the only element."""

    def only(elements: Sequence[Any]) -> dict[str, Any]:
        [element] = elements
        assert isinstance(element, plugins.Element), element
        return dict(element.event["alert"])

    return only


@pytest.fixture(scope="session")
def path_of() -> Callable[..., str]:
    """`path_of(read, body)`: which field is wrong, `body` for the whole."""

    def field(read: Read, body: Any) -> str:
        try:
            [error] = [one.error for one in read(body) if isinstance(one, plugins.Wrong)]
        except errors.RequestError as whole:
            error = whole
        return str(error.fields.get("field", "body"))

    return field


@pytest.fixture(scope="session")
def withstands() -> Callable[..., None]:
    """`withstands(read, *bodies, headers={})`: whatever comes, there are elements with words that are texts, or a named mistake."""

    def attack(read: Read, *bodies: Any, headers: Mapping[str, str] = plugins.NO_HEADERS) -> None:
        @hypothesis.given(JSON | st.sampled_from(bodies).flatmap(_spoilt))
        def attempt(body: Any) -> None:
            try:
                elements = read(body, headers)
            except errors.RequestError:
                return
            for one in elements:
                if isinstance(one, plugins.Element):
                    told = one.event["alert"]
                    assert all(isinstance(told[word], str) for word in ("name", "target", "status", "key")), told
                    assert isinstance(one.delivery, str)
                    json.dumps(one.event)
                else:
                    assert isinstance(one.error, errors.RequestError)

        for body in bodies:
            assert any(isinstance(one, plugins.Element) for one in read(body, headers)), "a good body is wanted"
        attempt()

    return attack


@st.composite
def _spoilt(draw: st.DrawFn, body: Any) -> Any:
    """The body with one to three of its pieces exchanged for anything, or taken out."""
    body = copy.deepcopy(body)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(body))
        if places:
            holder, name = draw(st.sampled_from(places))
            if draw(st.booleans()):
                holder[name] = draw(JSON)
            else:
                del holder[name]
    return body


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Everything below a value, as what holds it and its name there."""
    names: list[Any] = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    for name in names:
        yield value, name
        yield from _places(value[name])
