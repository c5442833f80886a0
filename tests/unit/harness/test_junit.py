"""JUnit XML: well formed whatever stands in it, with the attributes and elements that readers want, and counts that add up."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from healer import harness
from healer.harness import junit, telling

CASES = """\
rulebook: web.yml
tests:
  - {name: passes, expect: [{fired: []}]}
  - {name: "fails <&>\\"", steps: [{event: {alert: {name: "]]>", target: web1}}}], expect: [{runs: [{action: page}]}]}
  - {name: cannot be, inventory: {web: ["a b["]}, expect: [{fired: []}]}
"""
ALLOWED = {
    "testsuites": {"name", "tests", "failures", "errors", "time"}, "testsuite": {"name", "tests", "failures", "errors", "time"},
    "testcase": {"name", "classname", "time", "file", "line"}, "failure": {"message", "type"}, "error": {"message", "type"},
}  # fmt: skip
INSIDE = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error"},
    "failure": set(),
    "error": set(),
}


def test_whatever_came_of_them(made, revision):
    files = {"good_test.yml": CASES, "wrong_test.yml": "tests: 5\n"}
    for name, text in files.items():
        (made / "rulebooks" / name).write_text(text)
    try:
        report = harness.run(made, revision, [f"rulebooks/{name}" for name in files])
    finally:
        for name in files:
            (made / "rulebooks" / name).unlink()
    raw = junit.written(report, lambda result: "\n".join(telling.lines(result)))
    root = ET.fromstring(raw)
    assert raw.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    for one in root.iter():
        assert set(one.attrib) <= ALLOWED[one.tag]
        assert {child.tag for child in one} <= INSIDE[one.tag]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "1", "2")
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        assert suite.get("errors") == str(len(suite.findall("testcase/error")))
    failed = root.find("testsuite/testcase[2]")
    assert failed is not None
    assert failed.get("name") == 'fails <&>"'
    assert junit._xml("a\x07\ud800b\n") == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b\n"
    assert "expected      {action: page}" in (failed.findtext("failure") or "")
    wrong = root.find("testsuite[2]/testcase/error")
    assert wrong is not None
    assert "tests: a list is wanted, got 5" in (wrong.get("message") or "")
