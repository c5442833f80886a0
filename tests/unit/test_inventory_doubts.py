"""What stands in the files of an inventory and can never work is told where it stands, as it is of what Ansible lists."""

from __future__ import annotations

import pytest

from healer import inventory, model


def told(files: dict[str, str]) -> list[tuple[str, str, str]]:
    _, diagnostics = inventory.parse(files, "inv", ("playbooks",))
    return [(one.severity, str(one.place), one.message) for one in diagnostics]


HOSTS = """\
sound ansible_host=10.0.0.1
-oProxyCommand=x
h1 ansible_host=-oProxyCommand=x
"h 2"
[web]
web[1:3]\\'s ansible_host="a b"
h4 ansible_host="{{ ip }}"
h5 ansible_host=
a[1:2]*
[web:vars]
ansible_host=-x
"""


def test_in_the_ini_form() -> None:
    assert told({"inv/hosts": HOSTS}) == [
        ("warning", "inv/hosts:2:1", "the host '-oProxyCommand=x' is never a target: it is a pattern or an option"),
        ("warning", "inv/hosts:3:1", "ansible_host is a name or an address, got '-oProxyCommand=x'"),
        ("warning", "inv/hosts:4:1", "the host 'h 2' is never a target: a name has no spaces or control characters, and 1 to 512 characters"),
        ("warning", "inv/hosts:6:1", "the host \"web1's\" is never a target: --limit takes its name for more, or for less, than one host"),
        ("warning", "inv/hosts:6:1", "ansible_host is a name or an address, got 'a b'"),
        ("warning", "inv/hosts:9:1", "the host 'a1*' is never a target: it is a pattern or an option"),
        ("warning", "inv/hosts:11:1", "ansible_host is a name or an address, got '-x'"),
    ]  # fmt: skip


def test_in_the_yaml_form_and_in_files_of_variables() -> None:
    text = "all:\n  hosts:\n    d1:d2:\n    h1: {ansible_host: 'a b'}\n    all:\n  vars: {ansible_host: '-x'}\n"
    files = {"inv/hosts.yml": text, "inv/host_vars/h1.yml": "x: 1\nansible_host: a b\n"}
    assert told(files) == [
        ("warning", "inv/hosts.yml:3:5", "the host 'd1:d2' is never a target: --limit takes its name for more, or for less, than one host"),
        ("warning", "inv/hosts.yml:4:24", "ansible_host is a name or an address, got 'a b'"),
        ("warning", "inv/hosts.yml:5:5", "the host 'all' is never a target: it stands for every host"),
        ("warning", "inv/hosts.yml:6:10", "ansible_host is a name or an address, got '-x'"),
        ("warning", "inv/host_vars/h1.yml:2:15", "ansible_host is a name or an address, got 'a b'"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["d1:d2", "'q'", "a\\\\b", "all"])
def test_such_a_host_is_none_that_is_refused_only_when_it_runs(name: str) -> None:
    made, _ = inventory.parse({"inv/hosts.yml": f'all: {{hosts: {{"{name}": , sound: }}}}\n'}, "inv")
    assert len(made.hosts) == 2, "Ansible has it too"
    found = made.resolve(name.replace("\\\\", "\\"))
    assert isinstance(found, inventory.Refusal)
    assert isinstance(made.resolve("sound"), model.Target)


def test_sound_names_and_addresses_have_no_warning() -> None:
    text = (
        "ünï-ço_de+=^.$ ansible_host=fe80::1%eth0\n[2001:db8::1]:2022\nfe80::2\ndb-[a:c]:5433\nweb[01:03].example.org\n"
    )
    assert told({"inv/hosts": text}) == []
