"""The pages of a real daemon in a real browser (Chromium, driven by Playwright): without scripts, by keyboard, on a phone, for everybody.

`SCREENSHOTS=docs/images` writes the pictures of docs/pages.md.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import pathlib
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any, Final

import axe_playwright_python.sync_playwright as axe
import browsing
import pytest
from playwright import sync_api

CHROMIUM: Final = "/usr/bin/chromium"
PHONE: Final = {"width": 360, "height": 740}
DESK: Final = {"width": 1280, "height": 800}
PICTURE_MAX: Final = 150_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser."""
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def site(fresh_daemon: Any) -> Any:
    """A daemon that has healed, failed, refused, and waits for a person."""
    daemon = fresh_daemon
    for name, text in {
        "healer.yaml": browsing.SETTINGS, "actions.yaml": browsing.ACTIONS, "rulebooks/healing.yml": browsing.RULES, "inventory/hosts.yml": browsing.INVENTORY, "scripts/clean.sh": browsing.CLEAN,
        "controllers.yaml": "controllers:\n  site: {type: local, inventory: inventory/}\ndefault: site\n",
    }.items():  # fmt: skip
        daemon.write(name, text)
    (daemon.project / "scripts/clean.sh").chmod(0o755)
    daemon.data.mkdir(parents=True)
    daemon.ticket_key = asyncio.run(browsing.made_key(daemon.data))
    daemon.start()
    daemon.ready()
    daemon.ana = browsing.key_of(daemon, "ana")
    daemon.bo = browsing.key_of(daemon, "bo")
    browsing.fire(daemon, "DiskFull", "web01")
    browsing.fire(daemon, "DiskFull", "web02")
    browsing.fire(daemon, "DiskFull", browsing.HOSTILE)
    return daemon


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page without scripts."""
    context = chromium.new_context(java_script_enabled=False, viewport=DESK)
    yield context.new_page()
    context.close()


# --- without scripts ------------------------------------------------------------------------------------------------------


def test_a_key_logs_in_and_returns_to_the_page(site: Any, page: Any) -> None:
    browsing.go(page, site, "/ui/runs?state=failed")
    assert page.get_by_role("heading", level=1).inner_text() == "Log in"
    page.get_by_label("API key").fill("hlr_aaaaaaaa_" + "a" * 52)
    page.get_by_role("button", name="Log in").click()
    assert "not known" in page.get_by_role("alert").inner_text()
    page.get_by_label("API key").fill(site.ana)
    browsing.entered(page)
    assert page.url.endswith("/ui/runs?state=failed")
    assert page.get_by_role("heading", level=1).inner_text() == "Runs"
    page.get_by_role("button", name="Log out").click()
    browsing.go(page, site, "/ui")
    assert page.get_by_role("heading", level=1).inner_text() == "Log in"


def test_every_page_and_the_way_between_them(site: Any, page: Any, wait_for: Any) -> None:
    browsing.ask_for(site, wait_for, "web01")
    wait_for(lambda: {"succeeded", "failed", "refused"} <= {*site.states()}, 60, "the runs to end")
    browsing.log_in(page, site)
    assert "prod" in page.get_by_role("region", name="Daemon").inner_text()
    navigation = page.get_by_role("navigation", name="Pages")
    for name in ("Alerts", "Runs", "Approvals", "Status"):
        navigation.get_by_role("link", name=name).click()
        assert page.get_by_role("heading", level=1).inner_text() == name
        assert navigation.get_by_role("link", name=name).get_attribute("aria-current") == "page"
    navigation.get_by_role("link", name="Runs").click()
    page.get_by_label("State").select_option("failed")
    with page.expect_navigation():
        page.get_by_role("button", name="Show").click()
    (row,) = page.get_by_role("row").filter(has_text="web02").all()
    row.get_by_role("link").first.click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("Run r-")
    assert "disk is still full" in page.locator("pre[aria-label=stderr]").inner_text()
    assert "holds event.alert.name" in page.get_by_role("region", name="Condition").inner_text().replace("\n", " ")
    assert "intent" in page.get_by_role("region", name="Audit").inner_text()
    assert "kill switch" in page.get_by_role("region", name="Gates").inner_text()


def test_a_request_is_approved_by_keyboard_alone(site: Any, page: Any, wait_for: Any) -> None:
    (item,) = browsing.ask_for(site, wait_for, "web03")
    browsing.go(page, site, "/ui/approvals/" + item["id"])
    browsing.tab_to(page, "API key")
    page.keyboard.type(site.bo)
    browsing.entered(page)
    assert page.get_by_role("heading", level=1).inner_text() == f"Request {item['id']}"
    page.keyboard.press("Tab")
    assert browsing.focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    browsing.tab_to(page, "Reason (kept in the audit)")
    page.keyboard.type("I looked at it")
    page.keyboard.press("Tab")
    assert browsing.focused(page) == "Approve"
    browsing.entered(page)
    assert f"Request {item['id']}: approved." in page.get_by_role("status").inner_text()
    assert browsing.state_of(site, item) == ("approved", [("bo", True, "I looked at it")])
    wait_for(lambda: site.get(f"/runs/{item['run']}")[1]["state"] == "succeeded", 60, "the run to end")
    page.reload()  # what was sent was sent once
    assert browsing.state_of(site, item)[1] == [("bo", True, "I looked at it")]


def test_many_alike_are_chosen_and_decided(site: Any, page: Any, wait_for: Any) -> None:
    items = browsing.ask_for(site, wait_for, "web04", "web05", "web06")
    browsing.log_in(page, site, site.bo, "/ui/approvals")
    for item in items[:2]:
        page.get_by_label(item["targets"][0]).check()
    page.get_by_role("button", name="Decide on the chosen ones").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Decide 2 requests"
    assert [browsing.state_of(site, one)[0] for one in items] == ["open"] * 3
    page.get_by_label("Reason").fill("both are ours")
    page.get_by_role("button", name="Reject these 2").click()
    assert page.get_by_role("status").inner_text().count("rejected.") == 2
    assert [browsing.state_of(site, one)[0] for one in items] == ["rejected", "rejected", "open"]
    site.ask("POST", f"/approvals/{items[2]['id']}/reject", {}, key=site.bo)


def test_a_link_confirms_once_and_shows_nothing_else(site: Any, page: Any, wait_for: Any) -> None:
    (item,) = browsing.ask_for(site, wait_for, "db01")
    path = browsing.link(site, item)
    for _ in range(2):
        assert page.goto(path).status == 200
        assert "You are asked as ana" in page.get_by_role("main").inner_text()
    assert page.get_by_role("navigation").count() == 0
    assert browsing.state_of(site, item) == ("open", [])
    page.get_by_label("Reason").fill("from the phone")
    page.get_by_role("button", name="Approve").click()
    assert "The request is approved: ana approved it" in page.get_by_role("status").inner_text()
    assert page.get_by_role("button").count() == 0
    assert browsing.state_of(site, item) == ("approved", [("ana", True, "from the phone")])
    browsing.go(page, site, "/ui")
    assert page.get_by_role("heading", level=1).inner_text() == "Log in"
    assert page.goto(path[:-2] + "AA").status == 404
    records = site.get(f"/audit?run={item['run']}&kind=review")[1]["items"]
    assert [re.sub("link:[0-9a-f]{10}", "link:…", one["actor"]) for one in records] == ["link:… = ana"]
    text = path.rpartition("/")[2]
    logs = site.said() + "".join(one.read_text() for one in (site.project / "logs").glob("*"))
    assert text[:-2] not in logs


def test_behind_a_proxy_that_has_them_below_a_path(site: Any, page: Any, wait_for: Any) -> None:
    one, other = browsing.ask_for(site, wait_for, "web03", "db01")
    with browsing.proxied(site, "/ops/healer") as url:
        page.goto(f"{url}/ui/runs")
        page.get_by_label("API key").fill(site.bo)
        with page.expect_navigation():
            page.get_by_role("button", name="Log in").click()
        assert page.url == f"{url}/ui/runs"
        styled = page.locator("header").evaluate("one => getComputedStyle(one).display")
        assert styled == "flex"  # the style sheet was found
        page.get_by_role("link", name="Approvals").click()
        page.get_by_role("link", name=one["id"], exact=True).click()
        page.get_by_role("button", name="Approve").click()
        assert page.url == f"{url}/ui/approvals"
        assert f"Request {one['id']}: approved." in page.get_by_role("status").inner_text()
        page.get_by_role("button", name="Log out").click()
        assert page.url == f"{url}/ui/login"
        page.goto(url + browsing.link(site, other).removeprefix(site.url.rstrip("/")))
        page.get_by_role("button", name="Reject").click()
        assert "The request is rejected: ana rejected it" in page.get_by_role("main").inner_text()
        assert {(one["name"], one["path"]) for one in page.context.cookies()} == {("healer_login", "/ops/healer/ui")}


def test_what_is_hostile_is_seen_as_it_is(site: Any, page: Any, wait_for: Any) -> None:
    (item,) = browsing.ask_for(site, wait_for, "web02", summary=browsing.HOSTILE)
    browsing.log_in(page, site)
    for path in ("/ui/approvals", f"/ui/approvals/{item['id']}", "/ui/runs?state=refused", f"/ui/runs/{item['run']}"):
        browsing.go(page, site, path)
        text = page.get_by_role("main").inner_text()
        assert browsing.SEEN in text.replace("\\u001b", "\\x1b"), path  # a list quotes it as JSON does
        assert page.locator("script").count() == 0
    run = next(one for one in site.runs() if one["state"] == "failed")
    browsing.go(page, site, f"/ui/runs/{run['id']}")
    assert (
        "\\x1b[32mfreed 12 GiB\\x1b[0m <b>on</b> {{7*7}} \\u202egnp.exe"
        in page.locator("pre[aria-label=stdout]").inner_text()
    )
    site.ask("POST", f"/approvals/{item['id']}/reject", {}, key=site.bo)


# --- for everybody, on every screen -----------------------------------------------------------------------------------------


LOOKS = {"phone-dark": (PHONE, "dark"), "desk-light": (DESK, "light")}
if os.environ.get("SCREENSHOTS"):
    LOOKS["phone-light"] = (PHONE, "light")


@pytest.mark.parametrize(("size", "scheme"), LOOKS.values(), ids=LOOKS)
def test_pages_pass_axe_and_fit_the_screen(
    site: Any, chromium: Any, wait_for: Any, size: Any, scheme: Any, repository: pathlib.Path
) -> None:
    """axe-core has to run in the page, which its policy forbids: it is left aside here, and here alone."""
    items = browsing.ask_for(site, wait_for, "web01", "web05")
    context = chromium.new_context(viewport=size, bypass_csp=True, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    browsing.go(page, site, "/ui/login")
    looked_at(page, "login", size, scheme)
    browsing.log_in(page, site)
    for path in browsing.paths(site):
        browsing.go(page, site, path)
        name = path.removeprefix("/ui").strip("/").partition("/")
        looked_at(page, {"": "status"}.get(name[0], name[0] + ("-one" if name[2] else "")), size, scheme)
    failed = next(one for one in site.runs() if one["state"] == "failed")
    browsing.go(page, site, f"/ui/runs/{failed['id']}")
    looked_at(page, "run", size, scheme)
    browsing.go(page, site, "/ui/approvals")
    with page.expect_navigation():  # until its style is there too
        page.get_by_role("button", name=re.compile("Decide on all")).first.click()
    looked_at(page, "chosen", size, scheme)
    page.goto(browsing.link(site, items[0]))
    looked_at(page, "link", size, scheme)
    context.close()
    for item in items:
        site.ask("POST", f"/approvals/{item['id']}/reject", {}, key=site.bo)


def looked_at(page: Any, name: str, size: Any, scheme: str) -> None:
    """No finding of weight, nothing beyond the right edge, headings in order, one main part; and its picture where pictures are wanted."""
    found = axe.Axe().run(page).response["violations"]
    serious = [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
    levels = [int(one.evaluate("e => e.tagName")[1]) for one in page.locator("h1, h2, h3, h4").all()]
    assert levels[0] == 1, name
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), (name, levels)
    assert page.locator("main").count() == page.locator("h1").count() == 1
    folder = os.environ.get("SCREENSHOTS")
    if folder and scheme == "light" and name in ("status", "runs", "run", "approvals", "approvals-one", "link"):
        path = pathlib.Path(__file__).parents[2] / folder / f"{name}-{size['width']}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = name in ("link", "approvals-one")
        page.screenshot(
            path=path,
            full_page=whole,
            clip=None if whole or size is PHONE else {"x": 0, "y": 0, "width": 1280, "height": 620},
        )
        assert path.stat().st_size < PICTURE_MAX, path


def test_what_has_the_focus_is_seen(site: Any, chromium: Any) -> None:
    context = chromium.new_context(viewport=PHONE)
    page = context.new_page()
    browsing.log_in(page, site)
    page.bring_to_front()
    seen: list[list[str]] = []
    for _ in range(50):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            if seen:
                break  # it has gone round
            continue  # the first may come before the page has the keyboard
        seen.append(page.evaluate("(s => [s.outlineStyle, s.outlineWidth])(getComputedStyle(document.activeElement))"))
    assert len(seen) >= 8
    assert seen == [["solid", "3px"]] * len(seen)
    context.close()


def test_the_browser_has_nothing_to_complain_of(site: Any, chromium: Any, wait_for: Any) -> None:
    """With scripts allowed and the policy in force: no violation of it, nothing fetched from elsewhere."""
    items = browsing.ask_for(site, wait_for, "web01")
    context = chromium.new_context(viewport=DESK)
    page = context.new_page()
    told: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    browsing.log_in(page, site)
    for path in browsing.paths(site):
        if path != "/ui/nothing":
            browsing.go(page, site, path)
    page.goto(browsing.link(site, items[0]))
    assert told == []
    assert {urllib.parse.urlsplit(one).netloc for one in asked} == {urllib.parse.urlsplit(site.url).netloc}
    context.close()
    site.ask("POST", f"/approvals/{items[0]['id']}/reject", {}, key=site.bo)
