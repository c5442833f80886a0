"""What `explain` says of an event that came a moment ago, and of one whose rulebook a rule had ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

RULES = """\
- name: once
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: an hour
      condition: event.host is defined
      throttle: {once_within: 1 hour, group_by_attributes: [event.host]}
      action: {none: {}}
"""


def test_what_led_to_nothing_is_explained_as_soon_as_it_is_decided(daemon: Any, wait_for: Callable[..., None]) -> None:
    daemon.write("rulebooks/once.yml", RULES)
    daemon.start()
    daemon.ready()
    for number in range(5):
        seq = int(daemon.event({"host": "h1"}).removeprefix("e-"))
        wait_for(lambda seq=seq: daemon.status()["position"] >= seq, what="it is decided")
        assert daemon.get(f"/events/e-{seq}")[1]["decided"] is True
        _, told = daemon.get(f"/explain/e-{seq}")
        (rule,) = [one for one in told["rules"] if one["rule"] == "once/once/an hour"]
        assert (rule["fired"], rule.get("reason")) == ((True, "") if number == 0 else (False, "throttled"))


ENDING = """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: stop, condition: event.stop is defined, action: {shutdown: {}}}
    - {name: heard, condition: event.host is defined, action: {none: {}}}
"""


def test_what_came_after_a_shutdown_is_explained_by_it_also_after_a_reload(
    daemon: Any, wait_for: Callable[..., None]
) -> None:
    daemon.write("rulebooks/ending.yml", ENDING)
    daemon.start()
    daemon.ready()

    def decided(event: str) -> str:
        wait_for(lambda: daemon.get(f"/events/{event}")[1]["decided"], what="it is decided")
        return event

    def reason(event: str) -> str:
        _, told = daemon.get(f"/explain/{event}?rule=ending/rs/heard")
        return "fired" if told["rules"][0]["fired"] else str(told["rules"][0]["reason"])

    first = decided(daemon.event({"host": "h1"}))
    decided(daemon.event({"stop": 1}))
    wait_for(lambda: daemon.status()["ended"] == ["ending"], what="it has ended")
    status, answer = daemon.post("/events", {"host": "h1"})
    assert status == 202, answer  # another rulebook listens to the same source
    between = decided(answer["ids"][0])
    assert [reason(first), reason(between)] == ["fired", "ended"]
    assert daemon.healer("reload").returncode == 0
    assert [reason(first), reason(between)] == ["fired", "ended"]
    after = decided(daemon.event({"host": "h1"}))
    daemon.stop()
    daemon.start()
    daemon.ready()
    assert [reason(first), reason(between), reason(after)] == ["fired", "ended", "fired"]
