"""What a text means by an address, for a controller that sends requests to some."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import inventory, model, urls
from healer.project import addresses, controllers, targets


def api(**options: object) -> controllers.Controller:
    allow = ["https://api.example.org/v1", {"url": "http://tickets.corp:8080", "private": True}]
    return controllers.Controller("api", "http", frozenset({"http"}), frozenset({"url"}), {"allow": allow, **options})


@pytest.mark.parametrize(("text", "target"), [
    ("https://api.example.org/v1/a", "https://api.example.org/v1/a"), ("url:https://api.example.org/v1/a", "https://api.example.org/v1/a"),
    ("HTTPS://API.example.org:443/v1/%61", "https://api.example.org/v1/a"), ("http://tickets.corp:8080", "http://tickets.corp:8080/"),
])  # fmt: skip
def test_one_address_has_one_name(text: str, target: str) -> None:
    found = targets.resolve(api(), targets.EMPTY, "box", text)
    assert found == model.Target("url", target)
    for again in (str(found), target):
        assert targets.resolve(api(), targets.EMPTY, "box", again) == found


@pytest.mark.parametrize("end", ["b", "b/", "%62/"])
def test_a_slash_at_the_end_is_sent_and_is_no_other_target(end: str) -> None:
    found = targets.resolve(api(), targets.EMPTY, "box", f"https://api.example.org/v1/{end}")
    assert isinstance(found, model.Target)
    assert (str(found), found.address) == (
        "url:https://api.example.org/v1/b",
        "https://api.example.org/v1/b/" * end.endswith("/"),
    )
    bound = api()
    assert addresses.spellings(bound, ["https://api.example.org/v1/b", "https://api.example.org/v1/b/"]) == {str(found)}


@pytest.mark.parametrize(("text", "reason"), [
    ("", "is no address for api"), ("web01", "is no address for api"), ("host:web01", "is no address for api"), ("url:", "is no address for api"),
    ("url:url:https://api.example.org/v1", "is no address for api"), ("https://api.example.org/v1\n", "is no address for api"), ("https://api.example.org/v1/../x", ". or .."),
    ("https://api.example.org/v1?x", "without ?"), ("https://api.example.org@evil.test/v1", "a user"), ("https://api.example.org", "api sends nothing to"),
    ("https://api.example.org/v10", "api sends nothing to"), ("http://169.254.169.254/latest", "it allows https://api.example.org/v1, http://tickets.corp:8080/"),
    ("group:web", "is no address for api"), ("x" * 5000, "is no address for api"),
])  # fmt: skip
def test_what_is_not_allowed_is_refused_with_a_step(text: str, reason: str) -> None:
    found = targets.resolve(api(), targets.EMPTY, "box", text)
    assert isinstance(found, inventory.Refusal)
    assert reason in found.reason
    assert found.step
    assert len(found.reason) < 1000


def test_what_may_have_been_meant_is_said() -> None:
    found = addresses.resolve(api(), "https://api.exampel.org/v1/a")
    assert isinstance(found, inventory.Refusal)
    assert (found.nearest, "controllers.yaml" in found.step) == ("did you mean 'https://api.example.org'?", True)


def test_a_controller_may_be_bound_to_addresses_in_any_spelling() -> None:
    bound = controllers.Controller(
        "api",
        "http",
        frozenset({"http"}),
        frozenset({"url"}),
        api().options,
        targets=("https://API.example.org/v1/a", "no address"),
    )
    mine, other = (
        model.Target("url", "https://api.example.org/v1/a"),
        model.Target("url", "https://api.example.org/v1/b"),
    )
    assert targets.forbidden(bound, "x", "http", [mine]) == []
    assert [one.code for one in targets.forbidden(bound, "x", "http", [other])] == ["controller_forbidden"]


@pytest.mark.parametrize("spec", [
    controllers.Controller("b", "own", frozenset({"command"}), frozenset({"url"}), {"allow": {"what": "ever"}}),
    controllers.Controller("b", "own", frozenset({"http"}), frozenset({"url"})),
])  # fmt: skip
def test_a_controller_of_a_stranger_means_what_it_likes_by_url(spec: controllers.Controller) -> None:
    assert (
        str(targets.resolve(spec, targets.EMPTY, "box", "url:https://anything/else?x")) == "url:https://anything/else?x"
    )
    assert addresses.beyond(spec, {"url": "https://anything/else"}) is None


@pytest.mark.parametrize(("url", "said"), [
    ("https://api.example.org/v1/{{ parameters.p }}", None), ("relative/{{ parameters.p }}", None), ("ftp://wrong", None),
    ("https://api.example.org/{{ parameters.p }}", "did you mean 'https://api.example.org'?"), ("https://evil.test/", "list it with api in controllers.yaml (allow)"),
])  # fmt: skip
def test_an_action_that_goes_elsewhere(url: str, said: str | None) -> None:
    found = addresses.beyond(api(), {"method": "GET", "url": url})
    assert (found and found[1]) == said


@hypothesis.given(
    st.text(max_size=40)
    | st.from_regex(r"(url:)?https://api\.example\.org(:443)?/(v1)?[a-z./%2eE;]{0,12}", fullmatch=True)
)
def test_any_text_is_an_address_within_reach_or_refused(text: str) -> None:
    found = addresses.resolve(api(), text)
    if isinstance(found, model.Target):
        assert any(urls.parse(found.name).under(one.url) for one in urls.allowed(api().options["allow"]))
