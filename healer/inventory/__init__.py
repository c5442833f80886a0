"""Inventories of Ansible: static files read as Ansible reads them, what Ansible lists itself, and what a sender means by a name.

`project` hands the texts of the files to `parse`; `decide` and `intake` resolve what events call a target. Why our own
reading: every event asks, ansible-inventory takes half a second, and mistakes have to be shown where they stand. Pure.
"""

from healer.inventory.files import COMPILED, DYNAMIC, parse
from healer.inventory.found import Known, Unreadable
from healer.inventory.found import read as read_found
from healer.inventory.names import THIS_MACHINE, Host, Inventory, LeftOut, Refusal
from healer.inventory.variables import KINDS

__all__ = [
    "COMPILED", "DYNAMIC", "KINDS", "THIS_MACHINE", "Host", "Inventory", "Known", "LeftOut", "Refusal", "Unreadable", "parse", "read_found",
]  # fmt: skip
