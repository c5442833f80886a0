"""How `healer send` proves itself to a webhook: as the hook's own sender does, with a secret that can be read here. Caller: `send`.

What a hook wants is read from the project's files, never asked of the daemon: one that answers must not choose which files of this machine
are read and sent to it. Of the files only YAML is read, and nothing of the project is run.
"""

from __future__ import annotations

import dataclasses
import pathlib
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pydantic

from healer import cli, config, errors, model, plugins, secrets
from healer.catalog import building
from healer.cli import client, location, terminal, usage
from healer.web import attesting, proving

TYPE: Final = "healer.webhook"
FOLDER: Final = "rulebooks"
FILES_MAX: Final = 2_000
TOKEN: Final = "--token"  # noqa: S105 - how an option is called
SET: Final = "--token TOKEN, or HEALER_HOOK_TOKEN"
INSTEAD: Final = (
    "healer simulate FILE shows what it would lead to; a source of its own with auth: {bearer: …} takes it from you"
)
NOTHING: Final = model.Secret("", "")
"""Of a kind that has no secret (`sns`)."""


class CannotProve(errors.HealerError):
    """the hook {hook} wants {kind}, and that cannot be given here: {reason}"""

    code = "cannot-prove"
    exit_code = errors.EXIT_FORBIDDEN


@dataclasses.dataclass(frozen=True, slots=True)
class Prover:
    """Proves deliveries to one hook. `auth` None: nobody says how, and `why` not; else `why` is the file that says it. `secret`: None
    where there is none."""

    hook: str
    auth: Any
    why: str
    secret: model.Secret | None

    def request(self, body: bytes) -> tuple[str, Mapping[str, str] | None]:
        """The path of a delivery, and the headers that prove it; None where nothing does."""
        path = "/hooks/" + "/".join(client.segment(part) for part in self.hook.split("/"))
        if self.secret is None:
            return path, None
        if self.auth is None or self.auth.kind == "none":
            return path, _bearer(self.secret)
        proof = attesting.attest(self.auth, self.secret, _delivery(body))
        return (f"{path}/{client.segment(proof.token)}" if proof.token else path), proof.headers

    def leaves(self, headers: Mapping[str, str]) -> None:
        """Raise `usage.WrongUse` where one of these headers is one that proves: which of the two would be sent?"""
        proved = {name.lower() for name in self.request(b"")[1] or ()}
        for name in headers:
            if name.lower() in proved:
                raise usage.WrongUse(
                    detail=f"--header: {name} proves the delivery, and is made from the secret ({SET})"
                )

    def advice(self) -> str:
        """What to do where the daemon says that nothing was proved."""
        if self.secret is None:
            return f"{SET}; {self.why}" if self.auth is None else SET
        if self.auth is None:
            return (
                f"{self.secret.reference} went as Authorization: Bearer, and perhaps it wants another proof: {self.why}"
            )
        how = f"by {self.auth.kind} with {self.secret.reference}, as {self.why} says"
        return f"it was proved {how}: does the daemon run that revision, and has it the same secret?"


def of(where: location.Where, hook: str, token: str | None) -> Prover:
    """What proves deliveries to the hook of a path. `token`: its secret, whichever kind of proof that is for; None: that of the project.

    Raises `CannotProve`.
    """
    auth, why = _wanted(where.root, hook)
    if token:
        return Prover(hook, auth, why, _usable(auth, hook, [model.Secret(TOKEN, token)]))
    if auth is None or auth.kind == "none":
        return Prover(hook, auth, why, None)
    return Prover(hook, auth, why, _usable(auth, hook, list(_readable(where, auth, hook))))


def _bearer(secret: model.Secret) -> Mapping[str, str]:
    """The proof that is tried where nobody says which it is."""
    token = secret.reveal()
    if not (token.isascii() and token.isprintable()):
        detail = f"{secret.reference}: it would go in a header, where printable ASCII is allowed alone"
        raise usage.WrongUse("--project DIR, where the hook has another proof", detail=detail)
    return {"Authorization": f"Bearer {token}"}


def _usable(auth: Any, hook: str, known: list[model.Secret]) -> model.Secret:
    """The first secret with which something can be proved; any one of a list may be right."""
    found: list[proving.Unproved] = []
    for secret in known or [NOTHING]:
        try:
            if auth is not None:
                attesting.attest(auth, secret, _delivery(b""))
        except proving.Unproved as error:
            found.append(error)
        else:
            return secret
    try_ = INSTEAD if isinstance(found[0], attesting.TheirsAlone) else "the secret as its sender has it"
    raise CannotProve(try_, hook=hook, kind=auth.kind, reason=found[0].reason)


def _readable(where: location.Where, auth: Any, hook: str) -> Iterator[model.Secret]:
    """The secrets of `auth` that can be read here. Raises `CannotProve` where there are some and none can."""
    opened = secrets.Secrets(where.root or pathlib.Path(), cli.environment())
    unread: list[tuple[str, str]] = []
    for one in auth.secrets:
        try:
            yield opened.resolve(one.secret)
        except errors.SecretUnavailable as error:
            unread.append((one.secret, error.message))
    if unread and len(unread) == len(auth.secrets):
        reference, reason = unread[0]
        kind, _, name = reference.partition(":")
        here = f"{name}=… in the environment of this shell" if kind == "env" else "as a user who may read it"
        raise CannotProve(f"{here}, or {SET}", hook=hook, kind=auth.kind, reason=reason)


def _delivery(body: bytes) -> attesting.Delivery:
    return attesting.Delivery(body, str(int(time.time())), f"msg_{uuid.uuid4().hex}")


# --- what the project says ------------------------------------------------------------------------------------------------


def _wanted(root: pathlib.Path | None, hook: str) -> tuple[Any, str]:
    """(`auth` of the hook, the file that says it), or (None, why that is not known)."""
    if root is None:
        return None, "--project DIR would say which proof it wants"
    found = False
    for file in _files(root):
        shown, found = file.relative_to(root).as_posix(), True
        for args in _hooks(config.read_file(file, shown).value):
            if args.get("path") == hook:
                try:
                    return _shape().model_validate(building.plain(args.get("auth"))), terminal.clean(shown)
                except pydantic.ValidationError:
                    return None, f"what {terminal.clean(shown)} says of it is wrong (healer validate)"
    return (
        None,
        f"no source of {terminal.clean(root)} has this path" if found else f"{terminal.clean(root)} is no project",
    )


def _shape() -> Any:
    """The shape of `auth`."""
    return plugins.find("sources", "webhook").SOURCE.Options.model_fields["auth"].annotation


def _files(root: pathlib.Path) -> Iterator[pathlib.Path]:
    """The files that may have sources; of rulebooks those alone that speak of a webhook."""
    yield from (root / name for name in location.SETTINGS if (root / name).is_file())
    books = sorted(path for path in (root / FOLDER).rglob("*.y*ml") if path.is_file())[:FILES_MAX]
    for path in books:
        try:
            if path.stat().st_size <= config.BYTES_MAX and TYPE.encode() in path.read_bytes():
                yield path
        except OSError:
            continue  # one that may not be read here has nothing to say


def _hooks(value: Any) -> Iterator[Mapping[Any, Any]]:
    """The options of all webhooks in a file."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == TYPE and isinstance(inner, Mapping):
                yield inner
            else:
                yield from _hooks(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _hooks(inner)
