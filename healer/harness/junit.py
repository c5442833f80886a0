"""What came of tests as JUnit XML, as GitLab, Jenkins and GitHub's reporters read it: one suite a file, one case a test.

Format: the schema that Jenkins publishes (xunit plugin, junit-10.xsd): `testsuites` > `testsuite` > `testcase` with `failure` or `error`.
Caller: `healer test --junit`.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from typing import Final

from healer import errors, harness
from healer.harness import playing

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 (production 2) cannot hold, be it escaped."""


def written(report: harness.Report, shown: Callable[[playing.Result], str], clean: Callable[[str], str] = str) -> bytes:
    """The document. `shown`: what is said of a result that did not pass, as text; `clean`: a text as it may be seen."""
    cases = [result for run in report.runs for result in run.results]
    root = ET.Element("testsuites", {"name": "healer test", **_counts(report, cases)})
    if report.wrong:
        suite = ET.SubElement(root, "testsuite", {"name": "(the project)", **_counts(None, [], broken=True)})
        _mistakes(suite, "(the project)", "(the project)", report.wrong)
    for run in report.runs:
        suite = ET.SubElement(
            root, "testsuite", {"name": run.suite.file, **_counts(None, run.results, broken=not run.suite.ok)}
        )
        if not run.suite.ok:
            wrong = [one for one in run.suite.diagnostics if one.severity == "error"]
            _mistakes(suite, "(the file)", run.suite.file, wrong)
        for result in run.results:
            suite.append(_case(result, shown))
    for one in root.iter():
        one.attrib = {name: _xml(clean(value)) for name, value in one.attrib.items()}
        one.text = _xml(clean(one.text)) if one.text else one.text
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _mistakes(suite: ET.Element, name: str, of: str, wrong: Sequence[errors.Diagnostic]) -> None:
    case = ET.SubElement(suite, "testcase", {"name": name, "classname": of, "time": "0.000"})
    said = ET.SubElement(case, "error", {"message": wrong[0].message, "type": "configuration"})
    said.text = "\n".join(map(str, wrong))


def _case(result: playing.Result, shown: Callable[[playing.Result], str]) -> ET.Element:
    place = result.case.place
    case = ET.Element("testcase", {
        "name": result.case.name, "classname": result.case.file, "time": f"{result.seconds:.3f}", "file": place.file,
        "line": str(place.line),
    })  # fmt: skip
    if result.verdict != "passed":
        kinds = ", ".join(dict.fromkeys(one.kind for one in result.differences))
        message = result.error or f"not as expected: {kinds}"
        said = ET.SubElement(
            case,
            "failure" if result.verdict == "failed" else "error",
            {"message": message, "type": result.verdict},
        )
        said.text = shown(result)
    return case


def _counts(report: harness.Report | None, results: list[playing.Result], *, broken: bool = False) -> dict[str, str]:
    files = report.broken + bool(report.wrong) if report is not None else int(broken)
    return {
        "tests": str(len(results) + files), "failures": str(sum(one.verdict == "failed" for one in results)),
        "errors": str(sum(one.verdict == "error" for one in results) + files), "time": f"{sum(one.seconds for one in results):.3f}",
    }  # fmt: skip


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
