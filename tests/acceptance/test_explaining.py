"""What `explain` says of an event that came a moment ago."""

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
