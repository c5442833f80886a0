"""`module_args` as one text: taken apart as Ansible does, before any event has a say."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.rulebook import freeform


@pytest.mark.parametrize(
    ("module", "text", "wanted"),
    [
        ("debug", "msg=hello", {"msg": "hello"}),
        ("ansible.builtin.service", "name=nginx state='re started'", {"name": "nginx", "state": "re started"}),
        ("debug", 'msg="a \\"b\\" c"', {"msg": 'a "b" c'}),
        (
            "debug",
            "msg={{ event.x | default('a b') }} verbosity=1",
            {"msg": "{{ event.x | default('a b') }}", "verbosity": "1"},
        ),
        ("command", "systemctl restart nginx", {"_raw_params": "systemctl restart nginx"}),
        (
            "shell",
            "FOO=bar run creates=/x  chdir=/tmp",
            {"_raw_params": "FOO=bar run", "creates": "/x", "chdir": "/tmp"},
        ),
        ("command", "", {}),
        ("debug", "   ", {}),
    ],
)
def test_pieces(module: str, text: str, wanted: dict[str, str]) -> None:
    assert freeform.arguments(module, text) == wanted


@pytest.mark.parametrize(
    ("module", "text", "said"),
    [
        ("debug", "msg=a b", "'b' is no key=value"),
        ("debug", "msg='a", "a quote that does not end"),
        ("debug", "msg=a msg=b", "names msg twice"),
        ("{{ event.module }}", "msg=a", "whose name is no template"),
    ],
)
def test_what_it_is_not(module: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        freeform.arguments(module, text)


@hypothesis.given(st.text(alphabet="ab= '\"{}%\\\n", max_size=30), st.sampled_from(["debug", "shell"]))
def test_any_text_is_taken_apart_or_refused(text: str, module: str) -> None:
    try:
        made = freeform.arguments(module, text)
    except ValueError as error:
        assert "module_args" in str(error)
    else:
        assert all(isinstance(value, str) for value in made.values())


@pytest.mark.parametrize(
    ("text", "is_one"), [("{{ a }}", True), (" {{ a }}\n", True), ("{{ a }} {{ b }}", False), ("x", False)]
)
def test_one_template(text: str, is_one: bool) -> None:
    assert freeform.is_one_template(text) is is_one
