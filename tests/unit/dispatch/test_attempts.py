"""What an attempt runs, of what its row says."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from healer import model
from healer.dispatch import attempts

SCALE = {"verb": "scale", "replicas": "{{ parameters.n }}", "note": "to {{ parameters.n }}"}


@pytest.mark.parametrize(("stored", "made"), [
    ("scripts/a.sh", "scripts/a.sh"), (["logger", "{{ parameters.n }}"], ("logger", "{{ parameters.n }}")),
    (SCALE, {"verb": "scale", "replicas": 3, "note": "to 3"}), ({"command": ["{{ parameters.word }}"]}, {"command": ["{{ 7*7 }}; rm"]}),
])  # fmt: skip
def test_parameters_have_places_in_a_mapping_alone(stored: Any, made: Any, tmp_path: pathlib.Path) -> None:
    assert attempts._subject("oc", stored, {"n": 3, "word": "{{ 7*7 }}; rm"}, tmp_path) == made


def test_what_has_no_place_hinders_the_attempt(tmp_path: pathlib.Path) -> None:
    with pytest.raises(attempts.Hindered, match="the parameter 'n' is not given"):
        attempts._subject("oc", SCALE, {}, tmp_path)
    with pytest.raises(attempts.Hindered, match="is a secret, which cannot be a part of a text"):
        attempts._subject("oc", SCALE, {"n": model.Secret("env:N", "3")}, tmp_path)


OWN = """
from healer import plugins

class OwnOptions(plugins.Options):
    place: str
    word: str

class Own(plugins.Check):
    Options = OwnOptions
    addresses = ("place",)
    subject = look = lambda self: None

CHECK = Own
"""


def test_in_an_address_of_a_check_a_value_is_data(tmp_path: pathlib.Path) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "own.py").write_text(OWN)
    n = "{{ parameters.n }}"
    for stored, made in (
        (
            {"http": {"url": f"http://x/{n}/y", "contains": f"({n})"}},
            {"http": {"url": "http://x/a%3Fb%23/y", "contains": "(a?b#)"}},
        ),
        ({"own": {"place": f"http://x/?q={n}", "word": n}}, {"own": {"place": "http://x/?q=a%3Fb%23", "word": "a?b#"}}),
    ):
        assert attempts._subject("check", stored, {"n": "a?b#"}, tmp_path) == made
    with pytest.raises(attempts.Hindered, match="which leads elsewhere"):
        attempts._subject("check", {"http": {"url": f"http://x/{n}/y"}}, {"n": ".."}, tmp_path)
    with pytest.raises(attempts.Hindered, match="cannot stand in the scheme, host or port"):
        attempts._subject("check", {"http": {"url": f"http://{n}/"}}, {"n": "169.254.169.254"}, tmp_path)


def test_a_check_whose_addresses_nobody_knows_is_not_made(tmp_path: pathlib.Path) -> None:
    with pytest.raises(attempts.Hindered, match="no check is named 'onw'"):
        attempts._subject("check", {"onw": {"place": "http://x/{{ parameters.n }}"}}, {"n": 1}, tmp_path)
    assert attempts._subject("check", {"onw": {"place": "http://x/"}}, {}, tmp_path) == {"onw": {"place": "http://x/"}}


def test_port_and_user_of_a_target_come_along_and_older_rows_have_none() -> None:
    value = {"inventory_name": "web01", "address": "192.0.2.1", "groups": ["web"], "local": False}
    older = attempts._target("host:web01", value)
    assert (older.port, older.user) == (None, "")
    known = model.Target("host", "web01", "web01", "192.0.2.1", ("web",), False, 2222, "heal")
    assert attempts._target("host:web01", {**value, "port": 2222, "user": "heal"}) == known
