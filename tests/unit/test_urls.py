"""One address has one spelling, and what could be read as two addresses is none."""

from __future__ import annotations

import re
import urllib.parse

import hypothesis
import pytest
import yarl
from hypothesis import strategies as st

from healer import urls


@pytest.mark.parametrize(("text", "spelling"), [
    ("https://api.example.org", "https://api.example.org/"), ("HTTPS://API.Example.ORG:443/A", "https://api.example.org/A"),
    ("http://h:80/", "http://h/"), ("http://h:0080/", "http://h/"), ("http://h:443/", "http://h:443/"), ("https://h:8443/a/", "https://h:8443/a/"),
    ("https://h/%7eana/%2f%3a", "https://h/~ana/%2F%3A"), ("https://h/a;b=c,d@e:f!$&'()*+", "https://h/a;b=c,d@e:f!$&'()*+"),
    ("http://[::0001]:8080/x", "http://[::1]:8080/x"), ("http://[2001:DB8::1]/", "http://[2001:db8::1]/"), ("http://127.0.0.1/", "http://127.0.0.1/"),
    ("http://under_score.example/", "http://under_score.example/"), ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
    ("https://h/a%25b", "https://h/a%25b"), ("https://h/...", "https://h/..."), ("https://h/.well-known/x", "https://h/.well-known/x"),
    ("https://h/group%2Fproject", "https://h/group%2Fproject"), ("https://h/%C3%BC", "https://h/%C3%BC"),
])  # fmt: skip
def test_one_spelling(text: str, spelling: str) -> None:
    found = urls.parse(text)
    assert (str(found), urls.parse(str(found))) == (spelling, found)


@pytest.mark.parametrize(("text", "why"), [
    ("", "1 to 2048"), ("https://h/" + "x" * 2048, "1 to 2048"), ("api.example.org", "https://host/path"), ("//h/x", "https://host/path"),
    ("ftp://h/", "https://host/path"), ("file:///etc/passwd", "https://host/path"), ("gopher://h/", "https://host/path"), ("javascript:alert(1)", "https://host/path"),
    ("https:/h/", "https://host/path"), ("https:///x", "names no host"), ("https://", "names no host"), ("https://:80/", "names no host"),
    ("https://u@h/", "a user"), ("https://u:p@h/", "a user"), ("https://allowed.test@evil.test/", "a user"), ("https://h@/", "a user"),
    ("https://h/?a=b", "without ?"), ("https://h?a", "without ?"), ("https://h/#x", "without ?"), ("https://h#@evil.test/", "without ?"),
    ("https://h\\@evil.test/", "percent-encode"), ("https://h/a\\b", "percent-encode"), ("https://h/a b", "percent-encode"), ("https://h/\n", "percent-encode"),
    ("https://h/\0", "percent-encode"), ("https://bücher.example/", "xn--"), ("https://ex\u0430mple.org/", "xn--"), ("https://h\u3002evil.test/", "xn--"),
    ("https://h/ü", "percent-encode"), ("https://h/<a>", "percent-encode"), ("https://h/{a}", "percent-encode"),
    ("https://h:0/", "1 to 65535"), ("https://h:65536/", "1 to 65535"), ("https://h:x/", "names no host"), ("https://h:/", "names no host"),
    ("https://h:-1/", "names no host"), ("https://h:123456/", "names no host"), ("https://a:b:c/", "names no host"),
    ("https://h../", "no name of letters"), ("https://h./", "no name of letters"), ("https://.h/", "no name of letters"), ("https://-h/", "no name of letters"),
    ("https://h-/", "no name of letters"), ("https://a..b/", "no name of letters"), ("https://a%2eb/", "no name of letters"), ("https://" + "a" * 64 + ".b/", "no name"),
    ("https://" + "a." * 130 + "b/", "no name"), ("https://h*/", "no name of letters"),
    ("http://127.1/", "no IPv4 address"), ("http://2130706433/", "no IPv4 address"), ("http://0x7f.0.0.1/", "no IPv4"), ("http://0x7f000001/", "no IPv4 address"),
    ("http://0177.0.0.1/", "no IPv4 address"), ("http://127.0.0.01/", "no IPv4 address"), ("http://1.2.3.4.5/", "no IPv4 address"), ("http://a.0x1/", "no IPv4"),
    ("http://256.0.0.1/", "no IPv4 address"), ("http://[::1/", "names no host"), ("http://::1/", "names no host"), ("http://[fe80::1%25eth0]/", "names no host"),
    ("http://[::gg]/", "names no host"), ("http://[1:2]/", "no IPv6 address"), ("http://[127.0.0.1]/", "no IPv6 address"),
    ("https://h/a/../b", ". or .."), ("https://h/./a", ". or .."), ("https://h/..", ". or .."), ("https://h/%2e%2E/x", ". or .."), ("https://h/.%2e/x", ". or .."),
    ("https://h/a/%252e%252e/b", ". or .."), ("https://h/%25252e%25252e", ". or .."), ("https://h/a%2f..%2fb", ". or .."), ("https://h/a%5c..%5cb", ". or .."),
    ("https://h/..;/admin", ". or .."), ("https://h/..;x=1/admin", ". or .."), ("https://h/..%3b/admin", ". or .."), ("https://h/%2e;/x", ". or .."),
    ("https://h/a//b", "is empty"), ("https://h//a", "is empty"), ("https://h/a%", "percent-encoded"), ("https://h/%zz", "percent-encoded"), ("https://h/%2", "percent-encoded"),
    ("https://h/%00", "control character"), ("https://h/a%0d%0aX: y", "percent-encode"), ("https://h/a%0d%0a", "control character"), ("https://h/%2500", "control character"),
    ("https://h/%7f", "control character"),
])  # fmt: skip
def test_what_could_be_two_addresses_is_none(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        urls.parse(text)


@pytest.mark.parametrize(("prefix", "text", "under"), [
    ("https://h", "https://h/", True), ("https://h/", "https://h/a/b", True), ("https://h/v1", "https://h/v1", True), ("https://h/v1", "https://h/v1/", True),
    ("https://h/v1/", "https://h/v1", True), ("https://h/v1", "https://h/v1/a", True), ("https://h/v1", "https://h/v10", False), ("https://h/v1", "https://h/", False),
    ("https://h/v1", "https://h/V1/a", False), ("https://h/v1", "http://h/v1", False), ("https://h/v1", "https://h:8443/v1", False),
    ("https://h/v1", "https://h.evil.test/v1", False), ("https://h/v1", "https://x.h/v1", False), ("https://h:443/%76%31", "https://H/v1/x", True),
    ("https://h/v1", "https://h/v1%2Fx", False), ("https://h/a%2Fb", "https://h/a/b", False),
])  # fmt: skip
def test_what_lies_below_lies_below_whole_parts(prefix: str, text: str, under: bool) -> None:
    assert urls.parse(text).under(urls.parse(prefix)) is under


@pytest.mark.parametrize(("base", "path", "joined"), [
    ("https://h", "a", "https://h/a"), ("https://h/v1", "a/b", "https://h/v1/a/b"), ("https://h/v1/", "a/", "https://h/v1/a/"), ("https://h", "a%2fb", "https://h/a%2Fb"),
])  # fmt: skip
def test_a_path_is_joined(base: str, path: str, joined: str) -> None:
    assert str(urls.parse(base).below(path)) == joined


@pytest.mark.parametrize(
    "path", ["../a", "a/../../b", "/a", "//evil.test/a", "a?b", "a#b", "https://evil.test/", "a\\b", "a b", "%00", "é"]
)
def test_no_path_leads_elsewhere(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        urls.parse("https://h/v1").below(path)


def test_entries_as_they_are_written() -> None:
    found = urls.allowed(["https://h/v1", {"url": "http://a", "private": True}, {"url": "http://b"}])
    assert [(str(one.url), one.private) for one in found] == [
        ("https://h/v1", False),
        ("http://a/", True),
        ("http://b/", False),
    ]
    with pytest.raises(ValueError, match="https://host/path"):
        urls.allowed(["ftp://h"])


def test_of_several_entries_the_one_that_allows_more() -> None:
    entries = urls.allowed(["https://h", {"url": "https://h/v1", "private": True}])
    for text, private in (("https://h/x", False), ("https://h/v1/x", True)):
        found = urls.entry_for(urls.parse(text), entries)
        assert found is not None
        assert found.private is private
    assert urls.entry_for(urls.parse("https://other/"), entries) is None


@hypothesis.given(st.text(max_size=30) | st.sampled_from(["/", "..", "a/b", "%2e%2e", "?", "#", "\\", "@"]))
def test_a_value_stays_one_part(value: str) -> None:
    try:
        part = urls.segment(value)
    except UnicodeEncodeError:
        return
    assert "/" not in part
    assert urllib.parse.unquote(part) == value
    try:
        found = urls.parse(f"https://h/v1/a{part}b/x")
    except ValueError:
        return
    assert found.path.count("/") == 3
    assert found.under(urls.parse("https://h/v1"))


@hypothesis.given(st.text(alphabet="htps:/@.?#\\[]%25e\u3002ab10;", max_size=40).map(lambda rest: f"https://{rest}"))
def test_others_read_the_same(text: str) -> None:
    """What is an address here is the same one to the client that sends, and to Python's own reader."""
    try:
        found = urls.parse(text)
    except ValueError:
        return
    theirs, ours = yarl.URL(str(found), encoded=True), urllib.parse.urlsplit(str(found))
    assert (theirs.scheme, theirs.host, theirs.port, theirs.raw_path) == (
        found.scheme,
        found.host,
        found.port,
        found.path,
    )
    assert (ours.scheme, ours.hostname, ours.port or urls.PORTS[ours.scheme], ours.path) == (
        found.scheme,
        found.host,
        found.port,
        found.path,
    )
    assert (ours.query, ours.fragment, ours.username) == ("", "", None)
