"""The schemas of a project's files in the project itself, where editors find them without a network: `.healer-schemas/`.

Callers: `schema --write`, `init`. The folder is made of what is installed and is never committed (it ignores itself): each version of
healer writes its own. A file names its schema in its first line, by the path from the file on, as the YAML language server reads it.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any, Final

FOLDER: Final = ".healer-schemas"
_IGNORED: Final = "*\n"
_OF_NAME: Final = {"actions": "actions", "controllers": "controllers", "healer": "healer"}


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each kind of file."""
    from healer import harness, project

    kinds = {**project.SCHEMAS, **harness.SCHEMAS}
    return {kind: project.schema(kind, kinds) for kind in kinds}


def text(schema: dict[str, Any]) -> str:
    """A schema as it is printed and written: the same bytes each time."""
    return json.dumps(schema, indent=2, ensure_ascii=True) + "\n"


def write(root: pathlib.Path) -> list[str]:
    """Write all schemas into a project; their names, from the project on. Links in their place are replaced, not followed.

    Raises OSError.
    """
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    _put(folder / ".gitignore", _IGNORED)
    found = schemas()
    for kind, schema in found.items():
        _put(folder / f"{kind}.json", text(schema))
    return [f"{FOLDER}/{kind}.json" for kind in found]


def _put(path: pathlib.Path, content: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with beside.open("x", encoding="utf-8") as file:
        file.write(content)
    beside.replace(path)


def modeline(file: str) -> str:
    """The first line of a file of a project, by its path from the project on; '' for a file without a schema."""
    path = pathlib.PurePosixPath(file)
    kind = _kind(path)
    up = "../" * (len(path.parts) - 1)
    return f"# yaml-language-server: $schema={up}{FOLDER}/{kind}.json\n" if kind else ""


def _kind(path: pathlib.PurePosixPath) -> str:
    if path.suffix not in (".yml", ".yaml"):
        return ""
    if len(path.parts) == 1:
        return _OF_NAME.get(path.stem, "")
    if path.parts[0] == "rulebooks":
        return "test" if path.stem.endswith("_test") else "rulebook"
    return "metadata" if path.parts[0] in ("playbooks", "scripts") and path.stem.endswith(".meta") else ""
