"""Telling people: what the audit says becomes messages to receivers, each by its channel, with retries and in place.

Callers: the daemon, which has one `Deliverer`.
"""

from healer.notify.delivering import Deliverer, Receiver
from healer.notify.looking import Around
from healer.notify.routing import NOBODY, Routing

__all__ = ["NOBODY", "Around", "Deliverer", "Receiver", "Routing"]
