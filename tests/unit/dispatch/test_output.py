"""Output while it runs: capped, in order, fed through a mask."""

from __future__ import annotations

import hypothesis
from hypothesis import strategies as st

from healer.dispatch import output


def live(held: bytes = b"") -> output.Live:
    return output.Live(
        {name: lambda data: data for name in output.STREAMS}, {name: lambda: held for name in output.STREAMS}
    )


@hypothesis.given(st.lists(st.tuples(st.sampled_from(output.STREAMS), st.binary(max_size=50)), max_size=20))
def test_streams_are_apart_and_whole(pieces: list[tuple[output.Stream, bytes]]) -> None:
    made = live()
    for stream, data in pieces:
        made.write(stream, data)
    joined = {name: b"".join(data for stream, data in pieces if stream == name) for name in output.STREAMS}
    assert made.finish() == (joined["stdout"], joined["stderr"])
    assert made.truncated is False


def test_what_the_mask_holds_back_comes_at_the_end() -> None:
    made = live(b"rest")
    made.write("stdout", b"a ")
    assert made.so_far("stdout") == b"a "
    assert made.finish() == (b"a rest", b"rest")


def test_what_is_beyond_the_cap_is_dropped_and_said() -> None:
    made = live(b"rest")
    made.write("stdout", b"x" * (output.OUTPUT_MAX - 1))
    assert made.truncated is False
    made.write("stdout", b"yz")
    assert made.truncated is True
    assert made.so_far("stdout") == b"x" * (output.OUTPUT_MAX - 1) + b"y" + output.CUT
    assert made.so_far("stderr") == b""
