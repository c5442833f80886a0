"""What a button carries."""

from __future__ import annotations

import pytest

from healer import plugins
from healer.notify.channels import _slack_values as values


def asked(number: int, request: str = "a-0123456789ab") -> list[plugins.Asked]:
    return [plugins.Asked(f"{request[:-4]}{n:04}", "r-1", ("host:web1",), f"{n:064x}") for n in range(number)]


def test_there_and_back() -> None:
    meant = values.fitting(asked(20))
    assert len(meant) == 20
    assert len({one.digest for one in meant}) == 1, "the digests begin alike here"
    assert values.read(values.written(meant)) == meant
    assert len(values.written(meant)) <= values.VALUE_MAX


def test_as_many_as_fit() -> None:
    meant = values.fitting(asked(500))
    assert len(values.written(meant)) <= values.VALUE_MAX
    assert len(meant) == (values.VALUE_MAX - 1) // (14 + 1 + 16 + 1)
    assert values.fitting([]) == ()


@pytest.mark.parametrize(
    "text",
    [
        "", "1", "1 ", "2 a-1:00ff", "1 a-1", "1 a-1:", "1 a-1:00f", "1 a-1:00FF", "1 a-1:00ff  a-2:00ff", "1 a 1:00ff", "1 a-1:00ff\n", "1 a-1:00ff\na\nb",
        "1 " + "a" * 65 + ":00ff", "1 a-1:" + "0" * 65, "1 " + " ".join(["a-1:00ff"] * 300), "1 ../x:00ff", "1 ä:00ff",
    ],
)  # fmt: skip
def test_what_is_no_value(text: str) -> None:
    with pytest.raises(ValueError, match="no value of a button"):
        values.read(text)


def test_a_reason_that_was_said_already_goes_along() -> None:
    meant = (values.Meant("a-1", "00ff"), values.Meant("a-2", "00ee"))
    value = values.written(meant, "it is: a-3:00ff <fine>")
    assert (values.read(value), values.reason_of(value)) == (meant, "it is: a-3:00ff <fine>")
    assert values.reason_of(values.written(meant)) == ""
    asks = [plugins.Asked(f"a-{n:026}", "r-1", (), "f" * 64) for n in range(100)]
    fewer = values.fitting(asks, "x" * 500)
    assert 0 < len(fewer) < len(values.fitting(asks))
    assert len(values.written(fewer, "x" * 500)) <= values.VALUE_MAX
