"""The words that several formats share: plain names, tags, keys, objects of a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from healer.formats import _words


def test_names_of_a_body_that_an_operator_lays_out_are_taken_plainly() -> None:
    body = {"Event.ID": 1, "event_id": 2, "Problem URL": "u", "HOST-Name": "h"}
    assert _words.plainly(body) == {"eventid": 1, "problemurl": "u", "hostname": "h"}


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        ("role:db, env:prod,monitor", {"role": "db", "env": "prod", "monitor": ""}),
        (["role:db", "url:http://x", 7, None, ""], {"role": "db", "url": "http://x"}),
        (
            [{"tag": "a", "value": "b"}, {"name": "c", "value": 1}, {"key": "d"}, {}],
            {"a": "b", "c": "1", "d": ""},
        ),
        ({"a": "b", "c": 1, "d": None, "e": []}, {"a": "b", "c": "1"}),
        ("a:1, a:2", {"a": "1"}),
        ("", {}),
        (None, {}),
        (7, {}),
    ],
)
def test_tags_become_labels(given: Any, labels: dict[str, str]) -> None:
    assert _words.tags(given) == labels


@pytest.mark.parametrize("many", [",".join(f"t{n}" for n in range(1000)), [f"t{n}" for n in range(1000)]])
def test_there_are_no_more_labels_than_tags_max(many: Any) -> None:
    assert list(_words.tags(many)) == [f"t{n}" for n in range(_words.TAGS_MAX)]


def test_flat_keeps_texts_and_whole_numbers() -> None:
    given = {"a": "x", "b": 1, "c": True, "d": 1.5, "e": "", "f": None, "g": {}}
    assert _words.flat(given) == {"a": "x", "b": "1"}
    assert _words.flat([given]) == {}


def test_a_key_is_made_of_what_is_there_and_is_hashed_when_it_is_long() -> None:
    assert _words.key("web1", "", "HTTP") == "web1/HTTP"
    assert _words.key("", "") == ""
    assert _words.key("x" * _words.TEXT_MAX) == "x" * _words.TEXT_MAX
    long = _words.key("x" * 600, "y" * 600)
    assert len(long) == 26
    assert long != _words.key("x" * 600, "z" * 600)


@pytest.mark.parametrize(
    ("parts", "target"),
    [
        (("shop", "Pod", "web-1"), "shop/pod/web-1"),
        (("", "Node", "worker1"), "node/worker1"),
        (("default", "Node", "worker1"), "node/worker1"),
        (("", "PersistentVolume", "pv1"), ""),
        (("shop", "Pod", ""), ""),
        (("other/secret", "Pod", "web-1"), ""),
        (("shop", "Pod", "a/deployment/b"), ""),
    ],
)
def test_an_object_of_a_cluster_is_a_target(parts: tuple[str, str, str], target: str) -> None:
    assert _words.of_cluster(*parts) == target
