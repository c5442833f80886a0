"""`docs/slack.md` and `deploy/slack/`: the manifests are what Slack takes, their scopes cover what is asked, and the page names it all."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml

from healer import access, plugins
from healer.project import people
from healer.web import routes
from healer.web.slack import commands, desk

SCOPES = {
    "chat_postMessage": "chat:write", "chat_update": "chat:write", "chat_postEphemeral": "chat:write", "conversations_open": "im:write",
    "conversations_info": "channels:read", "users_info": "users:read", "usergroups_users_list": "usergroups:read", "views_open": "",
    "auth_test": "", "api_call": "",
}  # fmt: skip
"""Which scope of the bot a method needs (docs.slack.dev, "Web API methods"); `api_call` is `apps.connections.open`, of the app's own token."""


@pytest.fixture
def page(repository: pathlib.Path) -> str:
    return repository.joinpath("docs/slack.md").read_text("utf-8")


def manifest(repository: pathlib.Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(repository.joinpath("deploy/slack", name).read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", ["manifest.yml", "manifest-http.yml"])
def test_a_manifest(repository: pathlib.Path, name: str) -> None:
    found = manifest(repository, name)
    assert found.keys() == {"display_information", "features", "oauth_config", "settings"}
    shown = found["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert re.fullmatch(r"#[0-9a-f]{6}", shown["background_color"])
    (command,) = found["features"]["slash_commands"]
    assert command["command"] == "/heal"
    assert len(command["description"]) <= 2_000
    assert command["should_escape"] is False, "what is typed is read as it is"
    words = command["usage_hint"].split(" | ")
    assert set(words) == {*commands._COMMANDS}
    assert found["settings"]["interactivity"]["is_enabled"] is True


def test_both_differ_in_the_way_alone(repository: pathlib.Path) -> None:
    socket, http = manifest(repository, "manifest.yml"), manifest(repository, "manifest-http.yml")
    assert (socket["settings"].pop("socket_mode_enabled"), http["settings"].pop("socket_mode_enabled")) == (True, False)
    base = "https://healer.example.org"
    paths = {http["features"]["slash_commands"][0].pop("url"), http["settings"]["interactivity"].pop("request_url")}
    assert paths == {base + route.path for route in routes.table() if route.permission == routes.SLACK}
    assert socket == http


def test_scopes_are_those_of_what_is_asked(repository: pathlib.Path) -> None:
    asked = set()
    for path in (*repository.glob("healer/notify/channels/*slack*.py"), *repository.glob("healer/web/slack/*.py")):
        asked |= set(re.findall(r"""(?:call|_call)\(\s*"([a-zA-Z_]+)\"""", path.read_text("utf-8")))
    assert asked == SCOPES.keys()
    needed = {SCOPES[method] for method in asked} - {""} | {"commands"}
    given = set(manifest(repository, "manifest.yml")["oauth_config"]["scopes"]["bot"])
    assert given == needed | {"groups:read"}, "groups:read is channels:read of private channels"


def test_the_page_names_every_scope_command_option_and_permission(page: str, repository: pathlib.Path) -> None:
    for scope in manifest(repository, "manifest.yml")["oauth_config"]["scopes"]["bot"]:
        assert f"`{scope}`" in page
    for word in commands._COMMANDS:
        assert f"| `/heal {word}" in page
    slack = plugins.find("notifiers", "slack").NOTIFIER
    for shape in (slack.Account, slack.Options):
        for name in shape.model_fields:
            assert f"`{name}`" in page
    for permission in re.findall(r"`([a-z]+\.[a-z]+)`", page.partition("## `/heal`")[2].partition("## When")[0]):
        assert permission in access.PERMISSIONS
    for route in routes.table():
        if route.permission == routes.SLACK:
            assert f"`{route.method} {route.path}`" in page
    assert f"{desk.WAITING_MAX:,} clicks" in page


def test_its_secrets_are_files_that_a_reload_can_see(page: str) -> None:
    files = set(re.findall(r'\{secret: "file:([^"]+)"\}', page))
    assert files == {"secrets/slack-bot", "secrets/slack-app", "secrets/slack-signing"}
    assert '{secret: "env:' not in page, "the environment of a daemon that runs is the one that it was started with"
    made = set(re.findall(r"\(umask 077; cat > (\S+)\)", page))
    assert made == {"secrets/slack-bot", "secrets/slack-app"}
    assert "start it again" in page


def test_its_settings_are_read(page: str) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    found = yaml.safe_load(text)
    slack = plugins.find("notifiers", "slack").NOTIFIER
    slack.Account.model_validate(found["notifications"]["channels"]["slack"])
    for receiver in found["notifications"]["receivers"].values():
        slack.Options.model_validate(receiver["slack"])
    persons = {name: people.Person.model_validate(one) for name, one in found["principals"].items()}
    directory = people.directory({}, persons)
    ana = directory.of_slack("T02AB", "U7XYZ", directory.slack_groups("T02AB"))
    assert ana is not None
    assert ana.actor == "slack:T02AB/U7XYZ = ana"
    assert {role.name for role in ana.roles} == {"approver", "operator"}
    other = directory.of_slack("T02AB", "U9", ["S0123456"])
    assert other is not None
    assert (other.person, [role.name for role in other.roles]) == ("slack:T02AB/U9", ["approver"])
    assert directory.of_slack("T02AB", "U9", []) is None
    assert directory.of_slack("T9FAR", "U7XYZ", ["S0123456"]) is None
