"""Keeps a plan from any effect. ansible-playbook loads it, as `ansible` names its folder among the callbacks; it acts for plans alone.

In check mode a task with `check_mode: false` is run for real. Its author means one that only looks, but nothing holds it to that; so in a
plan such a task is checked as all others are. And the callbacks of others, which may tell somebody of what is only planned, hear nothing.
"""

from __future__ import annotations

import os
from typing import Any, Final

from ansible.plugins.callback import CallbackBase

ASKED_FOR: Final = "HEALER_PLAN"
EXIT_UNGUARDED: Final = 4


def guard() -> None:
    """From here on, and in every worker that is forked, each task is only checked. Where that cannot be had, nothing is run at all."""
    try:
        from ansible.executor import task_executor, task_queue_manager
        from ansible.utils.display import Display

        run = task_executor.TaskExecutor.run
    except (ImportError, AttributeError) as error:
        os.write(2, f"ERROR! this version of Ansible cannot be kept from an effect in a plan: {error}\n".encode())
        os._exit(EXIT_UNGUARDED)

    def checked(executor: Any) -> Any:
        task = executor._task
        if task.check_mode is not True:
            Display().display(f"only checked, though it says check_mode: false: {task.get_name()}")
            task.check_mode = True
        return run(executor)

    task_executor.TaskExecutor.run = checked
    tell = task_queue_manager.TaskQueueManager.send_callback

    def told(manager: Any, *given: Any, **named: Any) -> Any:
        manager._callback_plugins = [one for one in manager._callback_plugins if is_ours(one)]
        return tell(manager, *given, **named)

    task_queue_manager.TaskQueueManager.send_callback = told


def is_ours(callback: Any) -> bool:
    """Whether it is one of these, or ansible-runner's."""
    name = str(getattr(callback, "CALLBACK_NAME", ""))
    return name == "awx_display" or name.startswith("healer_")


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible has no types
    """Listens to nothing: it is loaded before anything is run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "healer_plan"

    def __init__(self) -> None:
        super().__init__()
        if os.environ.get(ASKED_FOR):
            guard()
