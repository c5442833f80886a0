"""Approvals that name what is not there: a role that nobody can have, more people than there are. Caller: `loading`.

Looks at the files as written, so that each mistake is told where it stands: `healer.yaml` (policies and defaults), the catalog's
entries, and the `policy:` of rulesets and rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from healer import access, catalog, config, errors, wording
from healer.project import git, people, revision, settings

SHOWN_MAX: Final = 20
_DECIDE: Final = "approvals.decide"


class Approvers:
    """The roles and people of `healer.yaml`."""

    def __init__(
        self, main: config.Document | None, read: settings.Read, actions: catalog.Catalog, names: Iterable[str] | None
    ) -> None:
        """`names`: of all actions that are written, also of those that are not valid; None: not all are known."""
        written = main.value.get("roles") if main is not None and isinstance(main.value, config.Map) else None
        own = map(str, written) if isinstance(written, config.Map) else read.settings.roles
        self._roles = [*access.ROLES, *own]
        known = people.directory(read.settings.roles, read.settings.principals)
        self._people = {name: person.roles for name, person in known.people.items()}
        grants = {name for name, role in known.roles.items() if _DECIDE in role.permissions}
        self._may = {name for name, roles in self._people.items() if grants.intersection(roles)}
        self._lacking = {name: one.lacking if (one := actions.entries.get(name)) else () for name in names or ()}
        self._known = names is not None
        self._main = main
        self._read = read

    def settings(self) -> list[errors.Diagnostic]:
        """`healer.yaml`: its policies and its defaults; and what is wrong with those that a variable or a flag sets."""
        if self._main is not None and isinstance(value := self._main.value, config.Map):
            policies, defaults = value.get("policies"), value.get("defaults")
            for one in policies if isinstance(policies, config.Seq) else ():
                self.check(self._main, one)
            self.check(self._main, defaults.get("run_action") if isinstance(defaults, config.Map) else None)
        asked = self._read.settings.defaults.run_action.approval
        places = [self._read.set_by[key] for key in self._read.set_by if key.startswith("defaults.run_action.approval")]
        if asked is None or not places:
            return []
        unknown = [role for one in asked.any_ for role in one.roles if role not in self._roles]
        told = [("unknown-role", _unknown(role), self._near(role)) for role in unknown]
        if asked.then is not None and (wrong := self._then(asked.then)) is not None:
            told.append((wrong.code, wrong.message, wrong.try_))
        return [errors.Diagnostic(code, message, errors.Place(places[0]), try_=try_) for code, message, try_ in told]

    def ruleset(self, document: config.Document, value: config.Map) -> None:
        """The `policy:` of a ruleset and of its rules."""
        rules = value.get("rules")
        for one in (value, *(rules if isinstance(rules, config.Seq) else ())):
            self.check(document, one.get("policy") if isinstance(one, config.Map) else None)

    def check(self, document: config.Document, value: Any) -> None:
        """What a mapping says under `approval`."""
        asked = value.get("approval") if isinstance(value, config.Map) else None
        then = asked.get("then") if isinstance(asked, config.Map) else None
        if isinstance(asked, config.Map) and isinstance(then, str) and then and (wrong := self._then(then)) is not None:
            document.error(wrong.code, wrong.message, asked.values_at.get("then"), wrong.try_)
        thresholds = asked.get("any") if isinstance(asked, config.Map) else None
        for one in thresholds if isinstance(thresholds, config.Seq) else ():
            roles = one.get("roles") if isinstance(one, config.Map) else None
            if isinstance(roles, config.Seq):
                self._threshold(document, one, roles)

    def _threshold(self, document: config.Document, one: config.Map, roles: config.Seq) -> None:
        known = True
        for role, at in zip(roles, roles.items_at, strict=True):
            if isinstance(role, str) and role not in self._roles:
                document.error("unknown-role", _unknown(role), at, self._near(role))
                known = False
        want = one.get("approve", 1)
        if not (known and self._people and isinstance(want, int)):
            return
        having = [name for name, own in self._people.items() if any(role in roles for role in own)]
        able = [name for name in having if name in self._may]
        if len(able) < want:
            names = f"only {', '.join(able)} have one" if able else "nobody of principals has one"
            also, try_ = (" and may decide", f", and the permission {_DECIDE}") if len(able) < len(having) else ("", "")
            message = f"{want} of {_roles(roles)} are wanted, and {names}{also}: nothing would ever be approved by this"
            at = one.values_at.get("approve") or roles.mark
            document.warning("too-few-approvers", message, at, f"give more people of principals such a role{try_}")

    def _then(self, name: str) -> errors.Diagnostic | None:
        """Why an action cannot be tried where nobody decides, with no place."""
        if not self._known:
            return None
        if name not in self._lacking:
            message = f"then: no action is named {wording.shown(name)}"
            near = errors.nearest(name, self._lacking) or "the name of an action of this project"
            return errors.Diagnostic("unknown-action", message, errors.Place(""), try_=near)
        if lacks := self._lacking[name]:
            message = (
                f"then: {name} needs {', '.join(lacks)}, and what is tried where nobody decides is given no parameters"
            )
            try_ = "give them a default, or name another action"
            return errors.Diagnostic("then-needs-parameters", message, errors.Place(""), try_=try_)
        return None

    def _near(self, role: str) -> str:
        return errors.nearest(role, self._roles) or f"known: {', '.join(self._roles[:SHOWN_MAX])}"


def authored(
    read: settings.Settings, actions: catalog.Catalog, on: Iterable[revision.Activation], files: Collection[str]
) -> list[str]:
    """The rulebooks whose authors are wanted: none where no approval excludes them."""
    run_action = read.defaults.run_action
    said = [one.layer() for one in read.policies] + [one.gates for one in actions.entries.values()]
    rulesets = [ruleset for each in on for ruleset in each.rulesets]
    said += [one.policy for one in rulesets] + [rule.policy for one in rulesets for rule in one.rules]
    excluded = [one["approval"].get("exclude") or () for one in said if one.get("approval")]
    excluded += [run_action.approval_exclude, (run_action.approval and run_action.approval.exclude) or ()]
    if not any("author" in one for one in excluded):
        return []
    return sorted({one.file for one in on if one.file in files and one.file.isprintable()})


def without_author(state: git.Git | None, files: Iterable[str]) -> list[errors.Diagnostic]:
    """Tell of rulebooks whose author is not known, though an approval excludes it."""
    known = dict(state.authors) if state is not None else {}
    message = "an approval excludes the author of its last change, who is not known: nobody is left out for that"
    try_ = "commit it, and have who changed it under git: of principals"
    return [
        errors.Diagnostic("unknown-author", message, errors.Place(file), "hint", try_=try_)
        for file in files if file not in known
    ]  # fmt: skip


def _unknown(role: str) -> str:
    return f"no role is named {wording.shown(role)}"


def _roles(roles: config.Seq) -> str:
    return "the role " + " or ".join(map(str, roles))
