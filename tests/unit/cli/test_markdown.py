"""Explanations as Markdown: data that came from outside stands in code and cannot leave it."""

from __future__ import annotations

import re

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.cli import markdown
from healer.cli.markdown import Part

HOSTILE = [
    "@everyone", "<script>alert(1)</script>", "<!-- ", "</code></summary></details>", "[x](https://evil.example)", "![x](y)", "```",
    "`````\n# gone", "\n```\n@ana", "a\r\n\r\n/close", "$x$", "|a|b|", "\\`", "`a` @ana `b`", " ", "", "\u202e\x1b[2J", "#12 GH-3 a/b#4",
    "https://evil.example", "~~~", "    ", "&lt;b&gt;", "\x00", "`", "``` `` `",
]  # fmt: skip


def outside(text: str) -> str:
    """What of a document a reader of Markdown would take as Markdown: all that stands in no block, no span and no summary's code."""
    left, fence = [], ""
    for line in text.split("\n"):
        if fence:
            if re.fullmatch(r" {0,3}`{3,}\s*", line) and len(line.strip()) >= len(fence):
                fence = ""
        elif found := re.fullmatch(r"(`{3,})text", line):
            fence = found[1]
        else:
            left.append(line)
    assert not fence, "a block that does not end"
    return "\n".join(spans(re.sub(r"<summary><code>[^<>@`\\\[]*</code></summary>", "SUMMARY", line)) for line in left)


def spans(line: str) -> str:
    """A line without its code spans (CommonMark 6.1: from a run of backticks to the next one as long)."""
    made, at = "", 0
    while at < len(line):
        run = re.match("`+", line[at:])
        if run is None:
            made, at = made + line[at], at + 1
            continue
        ends = [one for one in re.finditer("`+", line[at + len(run[0]) :]) if len(one[0]) == len(run[0])]
        assert ends, f"a span that does not end: {line!r}"
        made, at = made + "CODE", at + len(run[0]) + ends[0].end()
    return made


def documented(*texts: str, shown: bool) -> str:
    part = Part(list(texts), shown)
    return "\n".join(markdown.document("Title", texts, [part, part], texts))


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_the_data_stands_outside_of_code(text, shown):
    want = outside(documented("x", "y", shown=shown))
    assert outside(documented(f"x{text}", f"y{text}", shown=shown)) == want
    assert set(re.sub(r"CODE|SUMMARY|Title|details", "", want)) <= set("#\n <>/")


@given(
    st.lists(
        st.text(alphabet=st.sampled_from(list("`<>@\n\r\\|~# ax\u2028\x1b")), max_size=20), min_size=2, max_size=4
    ),
    st.booleans(),
)
def test_nor_of_any_other_data(texts, shown):
    made = outside(documented(*(f"z{text}" for text in texts), shown=shown))
    assert not set(made) & set("`@z\\|~\r\x1b\u2028")


@given(st.text(max_size=40))
def test_a_span_ends_where_it_ends(text):
    assert spans(f"a {markdown.code(text)} b") == "a CODE b"


def test_what_did_not_fire_is_folded_away():
    made = list(
        markdown.document("Why", ["e-1"], [Part(["a: fired", "  run r-1"], True), Part(["b: <i>", "  no"], False)])
    )
    assert made == [
        "### Why", "\n```text", "e-1", "```", "\n#### `a: fired`", "\n```text", "  run r-1", "```",
        "\n<details><summary><code>b: &#60;i&#62;</code></summary>", "\n```text", "  no", "```", "\n</details>",
    ]  # fmt: skip


def test_it_has_no_colour():
    assert list(markdown.document("Why", [], [Part([click.style("a", fg="red")], True)])) == ["### Why", "\n#### `a`"]


def test_it_fits_a_comment():
    long = Part(["rule: fired", *["x" * 1_000] * 500], True)
    made = "\n".join(markdown.document("Why", ["e-1"], [long, *[Part(["rule"], True)] * 10_000]))
    assert len(made) < 65_536
    assert "… and 301 more lines" in "\n".join(markdown.document("Why", [], [Part(["r", *["x"] * 501], True)]))
    assert "more, which would not fit a comment: `--json` has all of it" in made
