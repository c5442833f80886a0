"""What senders deliver to the hooks that are measured, written as they write it, as whole requests. Callers: `hooks`, `hostile`.

Alertmanager is written in Go: its encoder escapes `&`, `<` and `>` and ends with a line end. GitHub writes compact JSON. Shapes:
https://prometheus.io/docs/alerting/latest/configuration/#webhook_config and
https://docs.github.com/en/webhooks/webhook-events-and-payloads#push; the values are made here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

import projects

TOKEN: Final = "bench-hook-0123456789abcdef"
MARK: Final = "@NUMBER@NUMBER@@"
"""In the place of what differs from request to request: as long as the number that `hooks.lua` writes there."""
LINES: Final = 50
"""Events of a request of NDJSON."""
_AT: Final = "2026-11-27T14:25:09Z"
_URLS: Final = (
    "archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare", "contents", "contributors",
    "deployments", "downloads", "events", "forks", "git_commits", "git_refs", "git_tags", "hooks", "issue_comment", "issue_events",
    "issues", "keys", "labels", "languages", "merges", "milestones", "pulls",
)  # fmt: skip
_COUNTS: Final = ("forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count", "watchers")


def request(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The bytes of a `POST`."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def alert(token: str = TOKEN) -> bytes:
    """A delivery of Alertmanager with one alert, whose fingerprint is `MARK`; about 1,300 bytes of body."""
    labels = {
        "alertname": "FilesystemAlmostFull", "device": "/dev/nvme0n1p2", "fstype": "ext4", "instance": "web-0417.eu-1.example.net:9100",
        "job": "node", "mountpoint": "/var", "severity": "critical", "team": "shop",
    }  # fmt: skip
    notes = {
        "description": "/var of web-0417.eu-1.example.net:9100 has 3.1 % of its space left, and loses 0.4 % an hour",
        "runbook_url": "https://runbooks.example.net/node/FilesystemAlmostFull", "summary": "a file system is almost full",
    }  # fmt: skip
    one = {
        "status": "firing", "labels": labels, "annotations": notes, "startsAt": "2026-11-27T14:20:39.512Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus-0.example.net:9090/graph?g0.expr=node_filesystem_avail_bytes+%3C+0.05&g0.tab=1",
        "fingerprint": MARK,
    }  # fmt: skip
    body = {
        "receiver": "healer", "status": "firing", "alerts": [one], "groupLabels": {"alertname": labels["alertname"], "team": "shop"},
        "commonLabels": labels, "commonAnnotations": notes, "externalURL": "http://alertmanager-0.example.net:9093", "version": "4",
        "groupKey": '{}/{severity="critical"}:{alertname="FilesystemAlmostFull", team="shop"}', "truncatedAlerts": 0,
    }  # fmt: skip
    text = _compact(body)
    for char in "&<>":
        text = text.replace(char, f"\\u{ord(char):04x}")
    headers = {
        "User-Agent": "Alertmanager/0.27.0",
        "Content-Type": "application/json",
        "Authorization": f"Bearer {token}",
    }
    return request("/hooks/am", text.encode() + b"\n", headers)


def push(first: int, count: int) -> bytes:
    """So many deliveries of GitHub's event push, one behind the other, of equal length: each another commit, about 7,500 bytes of body."""
    body = _compact(_push()).encode()
    made = []
    for number in range(first, first + count):
        commit = hashlib.sha1(b"%d" % number).hexdigest()
        own = body.replace(b"@" * 40, commit.encode())
        headers = {
            "User-Agent": "GitHub-Hookshot/0123abc", "Accept": "*/*", "Content-Type": "application/json", "X-GitHub-Event": "push",
            "X-GitHub-Delivery": f"{commit[:8]}-{commit[8:12]}-{commit[12:16]}-{commit[16:20]}-{number:012x}",
            "X-GitHub-Hook-ID": "412345678", "X-GitHub-Hook-Installation-Target-ID": "786853002",
            "X-GitHub-Hook-Installation-Target-Type": "repository",
            "X-Hub-Signature-256": f"sha256={hmac.new(TOKEN.encode(), own, 'sha256').hexdigest()}",
        }  # fmt: skip
        made.append(request("/hooks/gh", own, headers))
    return b"".join(made)


def lines() -> bytes:
    """`LINES` events of 300 bytes as NDJSON."""
    body = b"".join(projects.body("cold", number) + b"\n" for number in range(LINES))
    return request("/events", body, {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {projects.KEY}"})


def _push() -> dict[str, Any]:
    """Commits are `@` forty times."""
    site, api = "https://github.com/example-shop/storefront", "https://api.github.com/repos/example-shop/storefront"
    person = {"name": "Anna Example", "email": "anna@example.net", "username": "anna-example"}
    account = {
        "login": "example-shop", "id": 51031067, "node_id": "MDEyOk9yZ2FuaXphdGlvbjUxMDMxMDY3", "gravatar_id": "", "type": "Organization",
        "avatar_url": "https://avatars.githubusercontent.com/u/51031067?v=4", "url": "https://api.github.com/users/example-shop",
        "html_url": "https://github.com/example-shop", "site_admin": False,
    }  # fmt: skip
    for name in ("followers", "following", "gists", "starred", "subscriptions", "organizations", "repos", "events"):
        account[f"{name}_url"] = f"https://api.github.com/users/example-shop/{name}"
    repository: dict[str, Any] = {
        "id": 786853002, "node_id": "MDEwOlJlcG9zaXRvcnk3ODY4NTMwMDI=", "name": "storefront", "full_name": "example-shop/storefront",
        "private": True, "owner": account, "html_url": site, "description": "The shop's front, and what is deployed with it", "fork": False,
        "url": site, "created_at": 1558041200, "updated_at": _AT, "pushed_at": 1795789509, "git_url": f"git:{site[6:]}.git",
        "ssh_url": "git@github.com:example-shop/storefront.git", "clone_url": f"{site}.git", "svn_url": site, "homepage": None,
        "language": "Ruby", "has_issues": True, "has_projects": True, "has_wiki": True, "has_pages": False, "archived": False,
        "disabled": False, "license": None, "visibility": "private", "default_branch": "main", "master_branch": "main",
    }  # fmt: skip
    repository |= {f"{name}_url": f"{api}/{name}{{/sha}}" for name in _URLS} | dict.fromkeys(_COUNTS, 7)
    commit = {
        "id": "@" * 40, "tree_id": "f9d2a07e9488b91af2641b26b9407fe22a451433", "distinct": True, "timestamp": "2026-11-27T15:25:06+01:00",
        "message": "Basket: keep what was put in while signed out\n\nCloses #4711", "url": f"{site}/commit/{'@' * 40}", "author": person,
        "committer": person, "added": ["app/basket/merge.rb"], "removed": [], "modified": ["app/basket.rb", "spec/basket_spec.rb"],
    }  # fmt: skip
    return {
        "ref": "refs/heads/main", "before": "1481a2de7b2a7d02428ad93446ab166be7793fbb", "after": "@" * 40, "repository": repository,
        "pusher": {"name": "anna-example", "email": "anna@example.net"}, "organization": account, "sender": account, "created": False,
        "deleted": False, "forced": False, "base_ref": None, "compare": f"{site}/compare/1481a2de7b2a...{'@' * 40}", "commits": [commit],
        "head_commit": commit,
    }  # fmt: skip


def _compact(value: Any) -> str:
    return json.dumps(value, separators=projects.COMPACT, ensure_ascii=False)
