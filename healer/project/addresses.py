"""What a text means by an address, for a controller that sends requests to some. Callers: `targets` and `reaching`.

`url:https://host/path`, or without `url:`. It has to lie under an entry of the controller's `allow`. One address has one spelling, since
locks are on it: a slash at its end is sent (`Target.address`) and is no part of its name. Nobody is asked whether anything answers there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final

from healer import config, errors, inventory, model, urls
from healer.catalog import requests
from healer.project.controllers import Controller

KIND: Final = "url"
KIND_OF_JOB: Final = "http"
SHOWN_MAX: Final = 10
_MEND: Final = "mend the alert's target"


def reaches(spec: Controller) -> bool:
    """Whether the targets of a controller are addresses under those that it lists; one of a stranger may mean others by `url:`."""
    return KIND in spec.target_kinds and KIND_OF_JOB in spec.kinds and "allow" in spec.options


def resolve(spec: Controller, text: str) -> model.Target | inventory.Refusal:
    """The address that a text means for a controller with targets of the kind `url`."""
    kind, colon, rest = text.partition(":")
    try:
        url = urls.parse(rest if colon and kind == KIND else text)
    except ValueError as error:
        return inventory.Refusal(f"{config.shown(text)} is no address for {spec.name}: {error}", step=_MEND)
    if urls.entry_for(url, urls.allowed(spec.options["allow"])) is None:
        step = f"{_MEND}, or list the address with {spec.name} in controllers.yaml (allow)"
        return inventory.Refusal(_beyond(spec, url), _nearest(spec, url), step=step)
    # What is joined to it goes to one place, with a slash and without.
    name = str(dataclasses.replace(url, path=url.path.rstrip("/") or "/"))
    return model.Target(KIND, name, address="" if name == str(url) else str(url))


def beyond(spec: Controller, written: object) -> tuple[str, str] | None:
    """Why the address of what is written as `http:` is none that the controller may send to, and what may be meant; None: it may."""
    try:
        url = urls.parse(requests.address(written))
    except ValueError:  # the target says it, or it is told with the options
        return None
    if not reaches(spec) or urls.entry_for(url, urls.allowed(spec.options["allow"])):
        return None
    return _beyond(spec, url), _nearest(spec, url) or f"list it with {spec.name} in controllers.yaml (allow)"


def keeps(spec: Controller, header: str) -> bool:
    """Whether a header is the one by which the controller says who asks."""
    return reaches(spec) and header.lower() == urls.own_header(spec.options.get("auth")).lower()


def _beyond(spec: Controller, url: urls.Url) -> str:
    listed = _listed(spec)
    more = ", …" if len(listed) > SHOWN_MAX else ""
    return f"{spec.name} sends nothing to {config.shown(str(url))}; it allows {', '.join(listed[:SHOWN_MAX])}{more}"


def _nearest(spec: Controller, url: urls.Url) -> str:
    return errors.nearest(url.origin, dict.fromkeys(one.url.origin for one in urls.allowed(spec.options["allow"])))


def _listed(spec: Controller) -> list[str]:
    return [str(one.url) for one in urls.allowed(spec.options["allow"])]


def spellings(spec: Controller, texts: Iterable[str]) -> set[str]:
    """The targets that texts mean, of those that mean one."""
    return {str(found) for text in texts if isinstance(found := resolve(spec, text), model.Target)}
