"""What an attempt runs, of what its row says."""

from __future__ import annotations

from typing import Any

import pytest

from healer import model
from healer.dispatch import attempts

SCALE = {"verb": "scale", "replicas": "{{ parameters.n }}", "note": "to {{ parameters.n }}"}


@pytest.mark.parametrize(("stored", "made"), [
    ("scripts/a.sh", "scripts/a.sh"), (["logger", "{{ parameters.n }}"], ("logger", "{{ parameters.n }}")),
    (SCALE, {"verb": "scale", "replicas": 3, "note": "to 3"}), ({"command": ["{{ parameters.word }}"]}, {"command": ["{{ 7*7 }}; rm"]}),
])  # fmt: skip
def test_parameters_have_places_in_a_mapping_alone(stored: Any, made: Any) -> None:
    assert attempts._subject(stored, {"n": 3, "word": "{{ 7*7 }}; rm"}) == made


def test_what_has_no_place_hinders_the_attempt() -> None:
    with pytest.raises(attempts.Hindered, match="the parameter 'n' is not given"):
        attempts._subject(SCALE, {})
    with pytest.raises(attempts.Hindered, match="is a secret, which cannot be a part of a text"):
        attempts._subject(SCALE, {"n": model.Secret("env:N", "3")})


def test_port_and_user_of_a_target_come_along_and_older_rows_have_none() -> None:
    value = {"inventory_name": "web01", "address": "192.0.2.1", "groups": ["web"], "local": False}
    older = attempts._target("host:web01", value)
    assert (older.port, older.user) == (None, "")
    known = model.Target("host", "web01", "web01", "192.0.2.1", ("web",), False, 2222, "heal")
    assert attempts._target("host:web01", {**value, "port": 2222, "user": "heal"}) == known
