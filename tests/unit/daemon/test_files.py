"""Files that may be open: as many as connections and children need, as far as the daemon may say so."""

from __future__ import annotations

import resource

import pytest

from healer.daemon import files

ENDLESS = resource.RLIM_INFINITY


@pytest.mark.parametrize(("limits", "set_to"), [
    ((1024, 524_288), [(4096, 524_288)]), ((1024, 2000), [(2000, 2000)]), ((1024, ENDLESS), [(4096, ENDLESS)]),
    ((4096, 4096), []), ((65_536, 524_288), []), ((ENDLESS, ENDLESS), []), ((256, 256), []),
])  # fmt: skip
def test_more_files_than_a_shell_allows(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], set_to: list[tuple[int, int]]
) -> None:
    made: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", {resource.RLIMIT_NOFILE: limits}.__getitem__)
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, given: made.append(given))
    files.allow()
    assert made == set_to
