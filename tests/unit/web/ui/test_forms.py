"""Forms: where they may come from, what they bring, and where one may be sent on to."""

from __future__ import annotations

import types
from typing import Any

import multidict
import pytest

from healer import errors
from healer.web.ui import forms

HOST = "healer.example.org:8080"


def request(**headers: str | list[str]) -> Any:
    """One to `HOST` with these headers."""
    given: multidict.CIMultiDict[str] = multidict.CIMultiDict()
    for name, values in headers.items():
        for value in [values] if isinstance(values, str) else values:
            given.add(name.replace("_", "-"), value)
    return types.SimpleNamespace(headers=given, host=HOST)


def services(public_url: str | None = None) -> Any:
    settings = types.SimpleNamespace(server=types.SimpleNamespace(public_url=public_url))
    return types.SimpleNamespace(revision=lambda: types.SimpleNamespace(settings=settings))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "same-origin", "Origin": "null"},
        {"Origin": f"http://{HOST}"},
        {"Origin": f"https://{HOST}"},
        {"Origin": "https://heal.example.org"},
        {"Origin": "https://HEAL.example.org"},
    ],
)
def test_it_comes_from_us(headers: Any) -> None:
    forms.check_sender(request(**headers), services("https://heal.example.org:443/"))


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Sec_Fetch_Site": ""},
        {"Sec_Fetch_Site": "cross-site", "Origin": f"http://{HOST}"},
        {"Sec_Fetch_Site": ["same-origin", "cross-site"]},
        {"Origin": ["null", f"http://{HOST}"]},
        {"Origin": "https://evil.example"},
        {"Origin": "http://heal.example.org"},
        {"Origin": "https://heal.example.org.evil.example"},
        {"Origin": f"ftp://{HOST}"},
        {"Origin": HOST},
        {"Origin": ""},
        {"Origin": f"http://{HOST}@evil.example"},
        {"Origin": "http://["},
        {"Sec_Fetch_Site": "same-origin", "Origin": "https://evil.example"},
    ],
)
def test_it_comes_from_elsewhere(headers: Any) -> None:
    with pytest.raises(forms.ForeignForm) as caught:
        forms.check_sender(request(**headers), services("https://heal.example.org"))
    assert caught.value.status == 403


@pytest.mark.parametrize("given", [[], [""], ["x"], ["token", "token"], ["TOKEN"], ["token "], ["ü"], ["\udc80"]])
def test_a_token_is_the_one_that_is_wanted(given: list[str]) -> None:
    with pytest.raises(forms.ForeignForm):
        forms.check_token(forms.Form({"token": given}), "token")


def test_no_token_is_right_where_none_is_wanted() -> None:
    forms.check_token(forms.Form({"token": ["token"]}), "token")
    with pytest.raises(forms.ForeignForm):
        forms.check_token(forms.Form({"token": [""]}), "")


@pytest.mark.parametrize(
    "path",
    ["/ui", "/ui/runs", "/ui/runs/r-7f3k2m", "/ui/runs?state=failed&rule=web%2Frestart", "/ui/approvals/a-1", "/ui/alerts?name=a%20b", "/ui?x=//y"],
)  # fmt: skip
def test_after_logging_in_a_page_is_shown_that_was_asked_for(path: str) -> None:
    assert forms.next_page(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "//evil", "//evil/ui", "///evil", "/\\evil", "\\\\evil", "https://evil/ui", "https:/evil", "javascript:alert(1)", "/uix", "ui",
        "/ui/..//evil", "/ui/../hooks/x", "/ui/./runs", "/ui/%2e%2e/x", "/ui/%2E%2e//x", "/ui//evil", "/ui/%2f%2fevil", "/ui/%2fevil/%5cx/..",
        "/ui/\\evil", "/ui/%5cevil", "/ui/a b", "/ui/\r\nSet-Cookie: a=b", "/ui/%0d%0aSet-Cookie:a=b", "/ui\n", "/ui#x", "/ui/runs#//evil", "/UI",
        "/ui@evil", "/ui.evil", "/ui:80", "/ui/login", "/ui/login?next=/ui", "/ui/logout", "/ui/decide/abc", "/ui/static/style.css", "/ui/ü",
        "/ui/" + "a" * 3000, " /ui", "/ui/\x00", "/ui/%00", "/ui/%E2%80%AEx", "http:/ui", "/ui/\t/evil",
    ],
)  # fmt: skip
def test_anything_else_leads_to_the_first_page(path: str) -> None:
    assert forms.next_page(path) == "/ui"


def test_a_form_has_each_value_once_where_one_is_wanted() -> None:
    form = forms.Form({"a": ["1", "2"], "reason": [" it\r\n hangs\t"]})
    assert form.all("a") == ["1", "2"]
    assert (form.all("b"), form.one("b")) == ([], "")
    assert form.line("reason") == "it hangs"
    with pytest.raises(errors.DuplicateKey, match="the form has the field 'a' twice"):
        form.one("a")
