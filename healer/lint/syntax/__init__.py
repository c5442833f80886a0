"""Ansible's own look at playbooks: `ansible-playbook --syntax-check` of each that an action or a rule names. Caller: `healer validate`.

What only Ansible can judge (modules, roles, keywords) is judged by the Ansible that is there; where there is none, nothing is said. It
runs code of the project, so never for one that is not trusted. It reads a copy of the files that a run would get, and nothing else of the
project, so that its word is that of these files and can be kept (`keeping`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import posixpath
import re
import tempfile
from collections.abc import Iterable, Mapping
from typing import Final

from healer import config, errors, plugins, project, vault
from healer.lint.syntax import asking, installed, keeping, saying
from healer.project import publishing, tree

VERSION: Final = 1
"""Of what is asked and how it is understood: another one makes what was kept before worth nothing."""
TEXT_MAX: Final = 1 << 20
_REQUIREMENTS: Final = ("requirements.yml", "requirements.yaml", "collections/requirements.yml")
_NOT_READ: Final = ("healer.", "actions.", "controllers.", "rulebooks/")
"""Beginnings of what no playbook reads: a rule that changes leaves what was kept."""
_ALIKE: Final = frozenset({"no-file", "playbook", "role", "unreadable", "vault", "yaml"})
"""The codes of our own reading of playbooks and roles."""
_NOWHERE: Final = re.compile(r"Could not find or access '([^']+)'")


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """What is asked, and with what. `program`: None where there is no Ansible. `opened`: the vault passwords that were given."""

    program: pathlib.Path | None
    environ: Mapping[str, str]
    opened: vault.Vault


def playbooks(draft: project.Draft) -> list[str]:
    """The files of the project that an action of the catalog or a rule's `run_playbook` names."""
    held = draft.revision
    named = [one.subject for one in held.catalog.entries.values() if one.kind == "playbook"]
    for activation in held.activations:
        for ruleset in activation.rulesets:
            acts = [action for rule in ruleset.rules for action in rule.actions if action.name == "run_playbook"]
            named += [held.playbook(str(one.args.get("name") or "")) or "" for one in acts]
    return sorted({one for one in named if isinstance(one, str) and one in held.files})


def withheld(draft: project.Draft) -> list[errors.Diagnostic]:
    """What is told in its place where no code of the project may run; `untrusted.once` makes one hint of it."""
    said = "Ansible's syntax check runs code of the project, which was not run"
    code = plugins.ProjectCode.code
    return [errors.Diagnostic(code, said, errors.Place(path), "hint") for path in playbooks(draft)]


def told(draft: project.Draft, machine: Machine) -> list[errors.Diagnostic]:
    """What Ansible says of the playbooks, without what our own reading has told; nothing where there is no Ansible."""
    wanted = playbooks(draft)
    if machine.program is None or not wanted or any(one.code == "too-large" for one in draft.diagnostics):
        return []
    held = _as_run(draft.revision)
    with tempfile.TemporaryDirectory(prefix="healer-syntax-", ignore_cleanup_errors=True) as folder:
        found = _Looking(held, machine, machine.program, pathlib.Path(folder).resolve()).complaints(wanted)
    made = [_diagnostic(held, path, one) for path, one in found.items() if not _is_told(one, draft.diagnostics)]
    return list(dict.fromkeys(made))


def _as_run(held: project.Revision) -> project.Revision:
    """The revision without what no playbook reads."""
    files = {path: one for path, one in held.files.items() if not path.startswith(_NOT_READ)}
    return dataclasses.replace(held, files=files, id=tree.revision_id(files.values()))


class _Looking:
    """One look. `folder`: an empty one of our own, which is removed afterwards."""

    def __init__(self, held: project.Revision, machine: Machine, program: pathlib.Path, folder: pathlib.Path) -> None:
        self.held = held
        self.machine = machine
        self.program = program
        self.folder = folder
        self.kept = keeping.Kept(machine.environ)
        self.elsewhere = any(
            any(map(one.options.get, one.machines)) for one in held.controllers.values() if "playbook" in one.kinds
        )

    def complaints(self, wanted: Iterable[str]) -> dict[str, saying.Complaint]:
        """What is said of each; of one that is sound nothing."""
        wanted = list(wanted)
        try:
            release = asking.release(self.program, self.machine.environ, self.folder, self.kept)
        except asking.NoAnswer as error:
            return {wanted[0]: saying.unjudged(f"{self.program.name} --version: {error}")}
        places = installed.Places(self.held, self.machine.environ, release.location)
        keys = {path: self._key(path, release, places.stamp()) for path in wanted}
        found = {path: self._recalled(key) for path, key in keys.items()}
        asked = [path for path, said in found.items() if said is None]
        found |= self._asked(asked, keys, places) if asked else {}
        return {path: one for path, said in found.items() for one in said or ()}

    def _key(self, path: str, release: asking.Release, stamp: str) -> str:
        if not stamp:
            return ""
        what = [VERSION, release.key, stamp, self.elsewhere, self.held.id, path]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    def _recalled(self, key: str) -> tuple[saying.Complaint, ...] | None:
        return saying.of_kept(self.kept.read(key), self.held.files) if key else None

    def _asked(
        self, wanted: list[str], keys: Mapping[str, str], places: installed.Places
    ) -> dict[str, tuple[saying.Complaint, ...]]:
        try:
            root = project.publish(self.held, self.folder).resolve()
        except (publishing.Changed, OSError) as error:
            return {wanted[0]: (saying.unjudged(f"the files cannot be copied: {error}"),)}
        environ = asking.environment(self.machine.environ, self.folder, root)
        secrets = asking.passwords(self.held, self.machine.opened, self.machine.environ, self.folder)
        if secrets:  # else that of ansible.cfg is wanted too, which no run gets
            environ["ANSIBLE_VAULT_PASSWORD_FILE"] = secrets[1].rpartition("@")[2]
        commands = [[str(self.program), "--syntax-check", "-i", asking.HERE, *secrets, path] for path in wanted]
        made: dict[str, tuple[saying.Complaint, ...]] = {}
        for path, ended in zip(wanted, asking.run(commands, environ, root), strict=True):
            said = saying.understood(ended, root, self.held.files, places.lacks, elsewhere=self.elsewhere)
            made[path] = (said,) if said else ()
            if keys[path] and not (said and said.passing):
                self.kept.write(keys[path], saying.to_keep(said))
        return made


# --- how it is told ---------------------------------------------------------------------------------------------------------


def _is_told(one: saying.Complaint, told: Iterable[errors.Diagnostic]) -> bool:
    """Whether our own reading has said it: of that place, of a file that is no YAML, or of the file that is nowhere."""
    for said in told:
        if said.code not in _ALIKE:
            continue
        if one.file and said.place.file == one.file and (said.place.line == one.line or said.code == "yaml"):
            return True
        nowhere, name = _NOWHERE.search(one.message), posixpath.basename(said.message.rpartition(" ")[2])
        if nowhere and name and said.code == "no-file" and posixpath.basename(nowhere[1]) == name:
            return True
    return False


def _diagnostic(held: project.Revision, playbook: str, one: saying.Complaint) -> errors.Diagnostic:
    file, line, column = (one.file, one.line, one.column) if one.file in held.files else (playbook, 0, 0)
    document = _document(held, file)
    mark = (line, max(1, column), 1) if 0 < line <= len(document.lines) else None
    if one.kind == "collection":
        listed = next((path for path in _REQUIREMENTS if path in held.files), "")
        try_ = f"ansible-galaxy collection install {f'-r {listed}' if listed else one.name} -p collections"
        if not listed:
            try_ += ", and list it in requirements.yml"
        message = f"the collection {one.name} is not installed here: {one.message}"
        return document.diagnostic("warning", "ansible-syntax", message, mark, try_)
    if one.kind == "unjudged":
        message = f"Ansible could not judge {'it' if file == playbook else playbook} here: {one.message}"
        return document.diagnostic("hint", "ansible-syntax", message, mark)
    try_ = "mend its name, or write all of it: NAMESPACE.COLLECTION.MODULE" if "module/action" in one.message else ""
    return document.diagnostic("error", "ansible-syntax", f"Ansible says: {one.message}", mark, try_)


def _document(held: project.Revision, file: str) -> config.Document:
    """The file, for its lines, in which secrets are masked as in any other."""
    text = ""
    with contextlib.suppress(OSError, ValueError):
        if held.files[file].bytes <= TEXT_MAX:
            text = (held.project_dir / file).read_text("utf-8-sig")
    if vault.is_vaulted(text):
        return config.Document(file, "")
    return config.read_text(text, file, twice="warning", ansible=True) if text else config.Document(file, "")
