"""The page on activations: its keys are those of the shape, and its example is read."""

from __future__ import annotations

import pathlib
import re

from healer import config, project
from healer.project import activations

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "activations.md").read_text()


def test_every_key_stands_there() -> None:
    told = {
        name
        for line in PAGE.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([a-z_]+)", line.split("|")[1])
    }
    assert told - {"upstream"} == set(activations.Shape.model_fields)


def test_the_example_is_read(tmp_path: pathlib.Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    value = config.read_text(text, "healer.yaml").value
    assert set(value["activations"][0]) == set(activations.Shape.model_fields) - {"compat"}
    shared = "sources: {alertmanager: {healer.webhook: {path: am, auth: {none: true}}}}\n"
    files = {
        "healer.yaml": shared + text, "vars/eu.yml": "port: 5000\n", "inventory/eu/hosts": "router1\n",
        "rulebooks/cisco.yml": "- name: r\n  hosts: all\n  sources: [{name: hook, ansible.eda.webhook: {port: '{{ port }}'}}]\n  rules: []\n",
    }  # fmt: skip
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    loaded = project.load(tmp_path, {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    (found,) = loaded.revision.activations
    assert (found.name, found.variables, found.mode) == ("cisco-eu", {"region": "eu", "port": 5000}, "observe")
    assert loaded.revision.sources["alertmanager"].subscribers == (("cisco-eu", "r"),)
