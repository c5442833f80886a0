"""What Ansible says, understood: both of its forms, whatever else stands there, and what is read back."""

from __future__ import annotations

import pathlib

import hypothesis
import hypothesis.strategies as st
import pytest

from healer.lint.syntax import saying

ROOT = pathlib.Path("/r/abc")
FILES = {"playbooks/a.yml", "tasks/t.yml"}
OLD = """\
[WARNING]: something else
ERROR! couldn't resolve module/action 'nosuch'. This often indicates a misspelling, missing collection, or incorrect module path.

The error appears to be in '/r/abc/playbooks/a.yml': line 3, column 7, but may
be elsewhere in the file depending on the exact syntax problem.

The offending line appears to be:

  tasks:
    - name: x
      ^ here
"""
CAUSED = """\
[ERROR]: Error when evaluating variable in import path 'x'.
Origin: /r/abc/playbooks/a.yml:3:7

3     - import_tasks: x
        ^ column 7

<<< caused by >>>

it is broken
Origin: /r/abc/tasks/t.yml:9:21
"""


def understood(text: str, code: int = 4, *, elsewhere: bool = False) -> saying.Complaint | None:
    lacks = lambda name: name.rpartition(".")[0] if name.count(".") == 2 else ""  # noqa: E731
    return saying.understood(saying.Ended(code, text), ROOT, FILES, lacks, elsewhere=elsewhere)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (OLD, ("error", "couldn't resolve module/action 'nosuch'", "playbooks/a.yml", 3, 7)),
        (CAUSED, ("error", "Error when evaluating variable in import path 'x'", "tasks/t.yml", 9, 21)),
        ("[ERROR]: x y\n  z\nOrigin: /r/abc/tasks/t.yml\n", ("error", "x y z", "tasks/t.yml", 0, 0)),
        ("[ERROR]: x\nOrigin: /elsewhere/t.yml:3:4\n", ("error", "x", "", 0, 0)),
        ("[ERROR]: x\nOrigin: /r/abc/tasks/t.yml:99999999999999:1\n", ("error", "x", "tasks/t.yml", 0, 1)),
        ("[ERROR]: in /r/abc/tasks/t.yml\n", ("error", "in tasks/t.yml", "", 0, 0)),
        ("[ERROR]: \x1b[31mred\x00\n", ("error", "[31mred", "", 0, 0)),
        ("[ERROR]: the role 'g' was not found in a:b:c\n", ("error", "the role 'g' was not found", "", 0, 0)),
    ],
)
def test_what_is_said_and_where(text, wanted):
    found = understood(text)
    assert found is not None
    assert (found.kind, found.message, found.file, found.line, found.column) == wanted
    assert not found.passing


def test_sound_is_nothing():
    assert understood("[WARNING]: x", code=0) is None


def test_of_what_does_not_end_or_speak_nothing_is_judged():
    broken = "Traceback (most recent call last):\n  x\nKeyError: 'y'\n"
    ends = [(None, OLD), (4, ""), (4, "[WARNING]: x\n"), (1, broken), (250, "ERROR! Unexpected Exception: 'y'\n")]
    for ended in (saying.Ended(code, text, "it took longer") for code, text in ends):
        found = saying.understood(ended, ROOT, FILES, lambda _: "", elsewhere=False)
        assert found is not None
        assert (found.kind, found.passing) == ("unjudged", True)
        assert ("'y'" in found.message) == ("'y'" in ended.text)


@pytest.mark.parametrize(
    "text",
    [
        "couldn't resolve module/action 'a.b.c'", "the role 'a.b.c' was not found in x",
        "Could not find or access '/r/abc/playbooks/a.b.c' on the Ansible Controller.",
    ],
)  # fmt: skip
def test_a_collection_that_is_missing(text):
    found = understood(f"[ERROR]: {text}\nOrigin: /r/abc/playbooks/a.yml:1:1\n")
    assert found is not None
    assert (found.kind, found.name) == ("collection", "a.b")


def test_on_another_machine_it_may_be_there():
    for text in ("couldn't resolve module/action 'x'", "the role 'x' was not found in y"):
        found = understood(f"[ERROR]: {text}\n", elsewhere=True)
        assert found is not None
        assert found.kind == "unjudged"
    found = understood("[ERROR]: 'bogus' is not a valid attribute for a Play\n", elsewhere=True)
    assert found is not None
    assert found.kind == "error"


def test_a_very_long_sentence_is_cut_and_a_secret_masked():
    found = understood("[ERROR]: " + "x" * 5_000)
    assert found is not None
    assert len(found.message) == saying.MESSAGE_MAX
    found = understood("[ERROR]: cannot log in with password=hunter2 at https://bob:hunter2@h/\n")
    assert found is not None
    assert "hunter2" not in found.message


def test_what_is_kept_is_read_back():
    for text in (OLD, CAUSED, "[ERROR]: couldn't resolve module/action 'a.b.c'\n"):
        found = understood(text)
        assert found is not None
        assert saying.of_kept(saying.to_keep(found), FILES) == (found,)
    assert saying.of_kept(saying.to_keep(None), FILES) == ()


GOOD = ["error", "x", "tasks/t.yml", 3, 4, ""]


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, "fatal"), (0, 1), (1, ""), (1, "x" * 400), (1, "a\nb"), (1, "\x1b[2J"), (1, "\u202eb"), (1, "at https://u:p@h/"), (2, "/etc/passwd"),
        (2, "../x"), (2, None), (3, -1), (3, True), (3, 1.0), (3, 10**12), (4, "1"), (5, "a.b"), (5, "a b; rm"),
    ],
)  # fmt: skip
def test_nothing_else_is_read_back(at, value):
    assert saying.of_kept(GOOD, FILES)
    bad = [*GOOD]
    bad[at] = value
    assert saying.of_kept(bad, FILES) is None
    assert saying.of_kept(["collection", *GOOD[1:5], "a b.c"], FILES) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
)


@hypothesis.given(JSON | st.lists(JSON, min_size=6, max_size=6), st.text())
def test_whatever_is_kept_or_said_nothing_raises(value, text):
    assert saying.of_kept(value, FILES) in (None, ()) or isinstance(value, list)
    understood(text)
    understood(f"[ERROR]: {text}\nOrigin: {text}:1:1\n")
