"""The session in which a job of `ssh` begins, where the server has no place for it. How it goes on is in `test_ssh*.py`, over a real sshd."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncssh
import pytest

from healer.controllers import _ssh_course

ATTEMPT: Any = None
ORDER: Any = None
"""Neither is looked at before a session is open."""


class Connection:
    """One with a job at work."""

    alive = True

    def __init__(self) -> None:
        self.working = 1
        self.event = asyncio.Event()

    def freed(self) -> asyncio.Event:
        return self.event

    def free(self) -> None:
        self.working -= 1
        self.event.set()


class Course(_ssh_course.Course):
    """Opened at its second try; `befalls` comes while the first one is refused."""

    def __init__(self, connection: Any, befalls: Any) -> None:
        super().__init__(connection, ATTEMPT)
        self.befalls = befalls
        self.tries = 0

    async def _open(self, _order: Any) -> None:
        self.tries += 1
        if self.tries == 1:
            self.befalls()
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "open failed")


async def test_a_place_that_was_freed_while_it_was_refused_is_asked_for_again() -> None:
    connection = Connection()
    course = Course(connection, connection.free)
    await course.open(ORDER)
    assert (course.tries, connection.working) == (2, 0)


async def test_where_nobody_is_at_work_no_place_comes() -> None:
    connection = Connection()
    connection.working = 0
    course = Course(connection, lambda: None)
    with pytest.raises(_ssh_course.NeverSent, match="no session can be opened"):
        await course.open(ORDER)
    assert course.tries == 1


async def test_as_long_as_a_job_is_at_work_it_is_waited_for() -> None:
    connection = Connection()
    course = Course(connection, lambda: None)
    opening = asyncio.create_task(course.open(None))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert (course.tries, opening.done()) == (1, False)
    connection.free()
    await opening
    assert course.tries == 2
