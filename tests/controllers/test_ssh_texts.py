"""What runs on the far side of `ssh`: its texts in several shells, what they answer, and what is kept on our side of it."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import errno
import os
import pathlib
import subprocess
from typing import Any

import pytest

from healer.child import jobs
from healer.controllers import _run_on, _run_on_report, _ssh_ask, _ssh_end, _ssh_far, _ssh_talk


@pytest.mark.parametrize("text", [_ssh_far.PROBE, _ssh_far.RUN, _ssh_ask.ASK, _run_on.PYTHON, _run_on_report.FETCH])
def test_texts_may_be_handed_on_by_any_login_shell(text: str) -> None:
    assert "'" not in text
    assert _ssh_far.command(text, "r-1-1", "/bin/fish") == f"exec /bin/sh -c 'name=r-1-1\n{text}'"
    for name in ("a b", "a;b", "-a", "$(id)", "a\n", "a" * 300, "ä"):
        with pytest.raises(ValueError, match="no name"):
            _ssh_far.command(text, name)


def test_a_record_that_found_no_room_was_not_made(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that `find` may say that nothing began, once there is room."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    record = _ssh_end.Record(tmp_path / "r-1-1")
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "write_private", full)
        with pytest.raises(OSError, match="No space left"):
            record.make()
    assert record.read().never("r-1-1-abc", "boot")
    record.make()
    assert record.read().made


def test_after_a_day_no_trace_of_a_job_says_nothing(tmp_path: pathlib.Path) -> None:
    """What was left there may have been swept."""
    record = _ssh_end.Record(tmp_path / "r-1-1")
    record.make()
    record.sent("r-1-1-abc", "boot.id")
    assert record.read().never("r-1-1-abc", "boot.id")
    assert not record.read().never("r-1-1-abc", "boot.another")
    os.utime(record.folder / "sent", (0, record.folder.stat().st_mtime - 2 * _ssh_end.RECENT_S))
    assert not record.read().never("r-1-1-abc", "boot.id")
    assert record.read().never("r-1-1-def", "boot.id"), "nobody was told"


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Any:
    """Runs a text as a far side does."""
    tmp_path.chmod(0o700)

    def run(text: str, name: str, data: bytes) -> tuple[bytes, bytes]:
        command = [request.param, "-c", _ssh_far.command(text, name, "/bin/sh")]
        done = subprocess.run(
            command,
            check=False,
            input=data,
            capture_output=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            timeout=60,
        )
        return done.stdout, done.stderr

    return run


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("mode", ["plain", "setsid"])
def test_far_sides_of_other_tools(shell: Any, exact: bool, mode: Any) -> None:
    place = _ssh_far.place_of(shell(_ssh_far.PROBE, "", b"")[0])
    place = dataclasses.replace(place, exact=exact, mode=mode)
    script = b'cat; printf %s "$A"; echo err >&2; exit 3 # \xff\n'
    value = "a\nb'\x01\udc81\udc88 $(x)\n"
    out, err = shell(_ssh_far.RUN, "r-1", _ssh_far.order(place, "N" * 32, 5, ["sh"], {"A": value}, '{"a": 1}', script))
    sieve = _ssh_talk.Sieve("N" * 32)
    assert sieve.feed(out) == (b'{"a": 1}' + value.encode("utf-8", "surrogateescape"), ["drained both"])
    output, marks = _ssh_talk.Sieve("N" * 32).feed(err)
    assert (output, marks[-1], marks[0][:8]) == (b"err\n", "drained both", "ended 3 ")
    seen = _ssh_ask.seen(shell(_ssh_ask.ASK, "r-1", _ssh_ask.question(place, "find"))[0])
    assert seen is not None
    status = _ssh_end.status_of(seen[0].status, 5)
    assert (seen[0].state, seen[1][:8], status.code if status else None) == ("drained", b'{"a": 1}', 3)
    shell(_ssh_ask.ASK, "r-1", _ssh_ask.question(place, "drop"))
    assert [path.name for path in pathlib.Path(place.folder).iterdir()] == ["id"]


@pytest.mark.parametrize("text", ["", "a b c\n", "no-newline", "x" * 5000, "$(id)\n", None])
def test_an_id_that_is_none_is_made_anew(shell: Any, text: str | None) -> None:
    place = _ssh_far.place_of(shell(_ssh_far.PROBE, "", b"")[0])
    kept = pathlib.Path(place.folder) / "id"
    assert _ssh_far.place_of(shell(_ssh_far.PROBE, "", b"")[0]) == place
    kept.unlink()
    if text is None:
        kept.mkdir()
    else:
        kept.write_text(text)
    made = _ssh_far.place_of(shell(_ssh_far.PROBE, "", b"")[0])
    assert made.boot.partition(".")[0] == place.boot.partition(".")[0]
    assert made.id not in ("", place.id)
    assert kept.read_text() == f"{made.id}\n"
    order = _ssh_far.order(place, "N" * 32, 5, ["sh"], {}, "", b"echo x\n")
    assert b"refused folder" in shell(_ssh_far.RUN, "r-1", order)[0], "it was sent for another folder"


def test_of_two_that_begin_at_once_one_does(shell: Any, tmp_path: pathlib.Path) -> None:
    place = _ssh_far.place_of(shell(_ssh_far.PROBE, "", b"")[0])
    data = _ssh_far.order(place, "N" * 32, 5, ["sh"], {"AT": str(tmp_path / "ran")}, "", b"echo x >>$AT\n")
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        for number in range(10):
            answers = list(threads.map(lambda _, name=f"r-{number}": shell(_ssh_far.RUN, name, data)[0], range(8)))
            assert sum(b"drained" in answer for answer in answers) == 1
            assert sum(b"refused used" in answer for answer in answers) == 7
    assert (tmp_path / "ran").read_text() == "x\n" * 10


@pytest.mark.parametrize(
    ("done", "failing"),
    [('printf "%s %s %s at%s\\n" "$$"', 'false "$$"'), ('>"$name.claim"', '>"$name.missing/claim"')],
    ids=["no block", "no inode"],
)
def test_no_room_there_is_said_and_leaves_nothing(shell: Any, done: str, failing: str) -> None:
    place = _ssh_far.place_of(shell(_ssh_far.PROBE, "", b"")[0])
    data = _ssh_far.order(place, "N" * 32, 5, ["sh"], {}, "", b"echo x\n")
    full = _ssh_far.RUN.replace(done, failing)
    assert full != _ssh_far.RUN
    assert b"refused room" in shell(full, "r-1", data)[0]
    assert [path.name for path in pathlib.Path(place.folder).iterdir()] == ["id"]
    claim = pathlib.Path(place.folder) / "r-1.claim"
    claim.write_text("of another\n")
    assert b"refused used" in shell(full if "missing" in failing else _ssh_far.RUN, "r-1", data)[0]
    assert claim.read_text() == "of another\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"healer: lacks timeout /proc\n", "lacks timeout, /proc"), (b"healer: taken /tmp/healer-0\n", "mode 0700"), (b"", "said nothing"),
        (b"Welcome!\nhealer: ready x\n", "said Welcome"), (b"healer: missing /run/x\n", "/run/x, where"), (b"healer: open /x\n", "sticky bit"),
    ],
)  # fmt: skip
def test_unfit_far_sides(answer: bytes, words: str) -> None:
    with pytest.raises(_ssh_far.Unfit, match=words):
        _ssh_far.place_of(answer)


@pytest.mark.parametrize(
    "answer", [b"", b"healer", b"healer: x\n", b"xhealer: b absent\n", b"healer: b nonsense\n", b"bash: x\n"]
)
def test_what_is_no_answer(answer: bytes) -> None:
    assert _ssh_ask.seen(answer) is None


def test_greetings_of_a_login_shell_are_passed_over() -> None:
    answer = b"Welcome!\nhealer: b running\nhealer: b absent\n"
    assert _ssh_ask.seen(answer) == (_ssh_ask.Seen("running", "b"), b"healer: b absent\n")


@pytest.mark.parametrize("words", [[], ["0", "1", "2", "0"], ["a", "1", "2", "0", "end"], ["0", "1", "2", "0", "en"]])
def test_half_of_a_status_is_none(words: list[str]) -> None:
    assert _ssh_end.status_of(words, 5.0) is None


def test_marks_are_found_however_they_are_cut() -> None:
    text = b"a\0b\0" + b"N" * 4 + b" ended 1\nrest\0NN\0NNNN drained alone\n\0"
    for step in range(1, len(text)):
        sieve = _ssh_talk.Sieve("NNNN")
        fed = [sieve.feed(text[at : at + step]) for at in range(0, len(text), step)]
        assert b"".join(output for output, _ in fed) + sieve.rest == b"a\0brest\0NN\0"
        assert [mark for _, marks in fed for mark in marks] == ["ended 1", "drained alone"]


async def test_record_on_a_full_disk_is_kept_later(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = _ssh_end.Record(tmp_path / "work")
    record.make()
    record.add("one", _ssh_end.End("succeeded", "exit 0", 0), _ssh_end.Heard())
    write = record._write
    monkeypatch.setattr(record, "_write", lambda data: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        await record.keep()
    assert not record.read().ends
    monkeypatch.setattr(record, "_write", write)
    await record.keep()
    assert record.read().ends["one"][0].summary == "exit 0"
    with (tmp_path / "work" / "ended").open("ab") as file:
        file.write(b'{"name": "two", "en')  # a power cut
    assert set(record.read().ends) == {"one"}


def test_what_is_kept_of_many_hosts_is_bounded() -> None:
    heard = _ssh_end.Heard(1000)
    for _ in range(100):
        assert heard.add(False, b"x" * 20_000)[:1] in (b"x", b"")
        heard.add(True, b"y" * 20_000)
    assert [len(part) for part in heard.kept] == [_ssh_end.KEPT_BYTES_MIN] * 2
    assert heard.truncated
    assert heard.result() is None
    assert len(heard.last_line()) <= _ssh_end.LINE_BYTES_MAX
