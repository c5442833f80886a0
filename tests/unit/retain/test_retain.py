"""Retention: what its time is over for goes in small pieces, files after their rows, and nothing that is needed."""

from __future__ import annotations

import asyncio
import pathlib
import types
from collections.abc import Iterator

import pytest

from healer import model, retain, store
from healer.store import deciding, journal, trimming

S = 1_000_000
DAY = 86_400 * S
RETENTION = types.SimpleNamespace(journal=86_400.0, runs=2 * 86_400.0, output=86_400.0, alerts=3 * 86_400.0)


class Box:
    """A store on disk with a clock by hand."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.now_us = 100 * DAY
        self.forgotten: list[tuple[str, str, int]] = []
        self.store = store.Store.open(folder, lambda: self.now_us, loop=None)
        self.retainer = retain.Retainer(self.store, RETENTION, lambda: self.now_us, self.forgotten.extend)
        self.position = 0
        self.store.writer.now(deciding.UseRevision("f" * 64, "", "d", {}))

    def decided(self, count: int, body: bytes = b"{}") -> None:
        blob = self.store.blobs.keep(body)
        rows = [
            journal.Row(
                "event",
                "s",
                None if blob.data is None else body,
                body_hash=None if blob.data is not None else blob.hash,
            )
            for _ in range(count)
        ]
        self.store.writer.now(journal.Append(rows, [blob] if blob.data is None else []))
        self.store.writer.now(deciding.Decide(self.position, rows[-1].seq, self.now_us, 1, [], lambda _: None))  # type: ignore[arg-type,return-value]
        self.position = rows[-1].seq

    def count(self, table: str) -> int:
        return int(self.store.writer.tx.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.fixture
def box(tmp_path: pathlib.Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    made.store.writer.close()


async def test_a_round_in_which_nothing_is_old(box: Box) -> None:
    box.decided(5)
    assert await box.retainer.once() == {}
    assert box.count("journal") == 6


async def test_what_is_old_goes_however_much_it_is(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retain, "PAUSE_S", 0)
    monkeypatch.setattr(trimming, "ROWS", 4)
    monkeypatch.setattr(trimming.TrimJournal, "at_most", 4)
    box.decided(20)
    box.now_us += DAY + 1
    box.decided(1)
    assert await box.retainer.once() == {"events": 20}
    assert box.count("journal") == 2


async def test_runs_that_ended_long_ago_go_however_many(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retain, "PAUSE_S", 0)
    box.decided(1)
    for number in range(trimming.RUNS * 2 + 1):
        add_run(box, f"r-{number}")
    box.now_us += 2 * DAY
    assert "runs" not in await box.retainer.once()
    box.now_us += 1
    assert (await box.retainer.once())["runs"] == trimming.RUNS * 2 + 1
    assert box.count("run") == 0


def add_run(box: Box, name: str, alert: tuple[str, int] | None = None) -> None:
    """A run that ended now, for the cycle of an alert."""
    tx = box.store.writer.tx
    tx.run(
        "run_insert", name, "succeeded", "", "{}", 1, "a/b/c", "x", 0, "catalog", "command", "[]", "here", "{}", "{}", 0, 0,
        "{}", 4, 0, "x", 1, 0, box.now_us, box.now_us, None, None, box.now_us, "{}", "", "", 0, "{}",
    )  # fmt: skip
    if alert is not None:
        tx.run("run_alert_insert", name, "am", *alert, 1)


def add_alert(box: Box, key: str, *, fires: bool, cycle: int = 1) -> None:
    """An alert that opened now, and perhaps closed."""
    tx = box.store.writer.tx
    tx.run("alert_open", "am", key, cycle, box.now_us, box.now_us, DAY, 1, 1, "n", "t", "critical", "", "{}")
    tx.run("opening_insert", "am", key, box.position, cycle, box.now_us)
    if not fires:
        tx.run("alert_close", box.now_us, "resolved", 1, "am", key)


async def test_a_run_stays_while_its_alert_fires_in_that_cycle(box: Box) -> None:
    box.decided(1)
    for name, alert in (("r-fires", ("k", 2)), ("r-before", ("k", 1)), ("r-closed", ("c", 1)), ("r-without", None)):
        add_run(box, name, alert)
    add_alert(box, "k", fires=True, cycle=2)
    add_alert(box, "c", fires=False)
    box.now_us += 2 * DAY + 1
    assert (await box.retainer.once())["runs"] == 3
    assert box.store.writer.tx.all("runs_over", 1 << 60, 9) == []
    box.store.writer.tx.run("alert_close", box.now_us, "resolved", 1, "am", "k")
    assert (await box.retainer.once())["runs"] == 1


async def test_an_alert_closed_long_ago_goes_once_no_run_names_it(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retain, "PAUSE_S", 0)
    monkeypatch.setattr(trimming, "ROWS", 3)
    monkeypatch.setattr(trimming.TrimAlerts, "at_most", 3)
    box.decided(1)
    for n in range(7):
        add_alert(box, f"c{n}", fires=False)
    add_alert(box, "fires", fires=True)
    add_alert(box, "named", fires=False)
    box.now_us += 3 * DAY - 1
    add_run(box, "r-1", ("named", 1))
    assert "alerts" not in await box.retainer.once()
    box.now_us += 2
    assert (await box.retainer.once())["alerts"] == 7
    assert sorted(box.forgotten) == [("am", f"c{n}", 1) for n in range(7)]
    box.now_us += 2 * DAY
    assert (await box.retainer.once())["alerts"] == 1
    assert box.count("alert") == 1


async def test_openings_go_with_the_rows_that_a_replay_could_come_to(box: Box) -> None:
    box.decided(1)
    add_alert(box, "k", fires=True)
    assert box.count("opening") == 1
    box.decided(3)
    await box.retainer.once()
    assert box.count("opening") == 1, "gates look back at it"
    box.now_us += trimming.BACK_US + 1
    await box.retainer.once()
    assert box.count("opening") == 0


async def test_what_runs_took_of_budgets_goes_once_no_gate_looks_back_at_it(box: Box) -> None:
    tx = box.store.writer.tx
    tx.run("spent_put", "policy:x", "r-1", "host:a", box.now_us, 1)
    tx.run("matched_add", box.now_us // 1_000_000)
    box.now_us += trimming.BACK_US - 1
    await box.retainer.once()
    assert (box.count("spent"), box.count("matched")) == (1, 1)
    box.now_us += 2_000_000
    await box.retainer.once()
    assert (box.count("spent"), box.count("matched")) == (0, 0)


async def test_a_run_goes_with_the_requests_and_reviews_that_it_led_to(box: Box) -> None:
    box.decided(1)
    add_run(box, "r-1")
    tx = box.store.writer.tx
    tx.run("approval_insert", "a-1", "flapping", "d", "[]", "rule:x", "", box.now_us, None, "r-1")
    tx.run("review_insert", "a-1", "key:ana", "approver", 1, "", box.now_us)
    box.now_us += 3 * DAY
    await box.retainer.once()
    assert [box.count(name) for name in ("run", "approval", "review")] == [0, 0, 0]


async def test_the_file_goes_after_its_row(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retain, "PAUSE_S", 0)
    box.decided(1, b"x" * 20_000)
    (path,) = (box.folder / "blobs").iterdir()
    box.decided(1)
    box.now_us += DAY + 1
    assert await box.retainer.once() == {"events": 1, "contents": 1}
    assert not path.exists()
    assert box.count("blob") == 0


async def test_the_file_of_what_is_needed_stays(box: Box) -> None:
    box.decided(1, b"x" * 20_000)
    box.now_us += 30 * DAY
    assert await box.retainer.once() == {}
    assert len(list((box.folder / "blobs").iterdir())) == 1


async def test_much_content_goes_in_one_round(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retain, "PAUSE_S", 0)
    monkeypatch.setattr(trimming, "ROWS", 3)
    monkeypatch.setattr(trimming.TrimBlobs, "at_most", 3)
    box.store.writer.now(journal.Append([], [box.store.blobs.keep(str(n).encode() * 20_000) for n in range(10)]))
    box.now_us += 3600 * S + 1
    assert await box.retainer.once() == {"contents": 10}
    assert list((box.folder / "blobs").iterdir()) == []


@pytest.mark.looptime
async def test_a_round_comes_each_minute(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = []

    async def once() -> dict[str, int]:
        rounds.append(asyncio.get_running_loop().time())
        return {"events": 1}

    monkeypatch.setattr(box.retainer, "once", once)
    start = asyncio.get_running_loop().time()
    working = asyncio.create_task(box.retainer.run())
    await asyncio.sleep(185)
    working.cancel()
    assert [round(at - start) for at in rounds] == [60, 120, 180]


async def test_job_folders_of_what_has_ended_go(tmp_path: pathlib.Path) -> None:
    names = [f"{model.run_id('a', 'b', 'c', key, 0, 0)}-1" for key in "abc"]
    for name in names:
        (tmp_path / "work" / name / "deep").mkdir(parents=True)
    assert await retain.forget_work(tmp_path, {names[1]}) == 2
    assert [path.name for path in (tmp_path / "work").iterdir()] == [names[1]]
    assert await retain.forget_work(tmp_path / "missing", set()) == 0


async def test_what_is_no_job_folder_is_not_ours_to_delete(tmp_path: pathlib.Path) -> None:
    token = f"{model.run_id('a', 'b', 'c', 'd', 0, 0)}-1"
    (tmp_path / "work").mkdir()
    (tmp_path / "work/a file").write_text("x")
    (tmp_path / "work/ssl").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/kept").write_text("x")
    (tmp_path / "work" / token).symlink_to(tmp_path / "other")
    assert await retain.forget_work(tmp_path, set()) == 0
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == sorted(["a file", "ssl", token])
    assert (tmp_path / "other/kept").exists()


async def test_behind_a_link_nothing_is_deleted(tmp_path: pathlib.Path) -> None:
    token = f"{model.run_id('a', 'b', 'c', 'd', 0, 0)}-1"
    (tmp_path / "elsewhere" / token).mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/work").symlink_to(tmp_path / "elsewhere")
    assert await retain.forget_work(tmp_path / "data", set()) == 0
    assert (tmp_path / "elsewhere" / token).exists()
