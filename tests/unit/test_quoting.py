"""What messages quote: a password never, and a line such that the caret still stands where the mistake is."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import config, errors, quoting


@pytest.mark.parametrize(("text", "told"), [
    ("https://u:pw@a.org/x", "https://***@a.org/x"), ("https://u:p/w?#@a@a.org", "https://***@a.org"), ("//u:pw@a.org", "//***@a.org"),
    ("see https://u:pw@a.org, amqp://v:qw@b", "see https://***@a.org, amqp://***@b"), ("HTTPS://u@a.org", "HTTPS://***@a.org"),
    ("ops:pw@bastion:22", "ops:***@bastion:22"), ("ops@bastion:22", "ops@bastion:22"), ("[ops:p@w@b]", "[ops:***@b]"),
    ("git@example.org:a/b", "git@example.org:a/b"), ("host:22/a@1", "host:22/a@1"), ("https://a.org/x", "https://a.org/x"), ("@", "@"),
])  # fmt: skip
def test_who_is_named_in_an_address_is_left_out(text: str, told: str) -> None:
    assert quoting.without_secrets(text) == told
    assert quoting.shown(text) == repr(told)
    assert quoting.shown([text]) == repr([told])


@pytest.mark.parametrize(("text", "told"), [
    ("https://u:p w@a.org/", "https://***@a.org/"), ("https://u:p@s w@a.org/", "https://***@a.org/"), ("https://u:1234 w@a", "https://***@a"),
    ("https://u:p/w x@a", "https://***@a"), ("https://u:p'w@a", "https://***@a"), ("https:/u:p w@a", "https:/***@a"), ("ops:p w@b", "ops:***@b"),
    ("https://a.org:8080/x, ask ops@b", "https://a.org:8080/x, ask ops@b"), ("https://a.org/x of ops@b", "https://a.org/x of ops@b"),
    ("note: ask ops@b", "note: ask ops@b"), ("/srv/a@b", "/srv/a@b"),
])  # fmt: skip
def test_a_password_may_have_what_no_address_has(text: str, told: str) -> None:
    assert quoting.without_secrets(text) == told
    assert quoting.said(f"no such thing: {text!r}")[16:-1] == told


@pytest.mark.parametrize(("text", "told"), [
    ("https://a.org/?token=x", "https://a.org/?token=***"), ("https://a.org/x?a=1&api_key=x&b=2#c", "https://a.org/x?a=1&api_key=***&b=2#c"),
    ("https://a.org/?sig=a%2Fb", "https://a.org/?sig=***"), ("https://a.org/#access_token=x&b=2", "https://a.org/#access_token=***&b=2"),
    ("https://a.org/?X-Amz-Signature=x", "https://a.org/?X-Amz-Signature=***"), ("https://a.org/?key=x y", "https://a.org/?key=***"),
    ("https://a.org/?page=2&host=b&port=8", "https://a.org/?page=2&host=b&port=8"), ("https://a.org/T0/B1/aB3cD4eF5gH6iJ7kL8mN9", "https://a.org/T0/B1/***"),
    ("https://a.org/123e4567-e89b-12d3-a456-426614174000", "https://a.org/***"), ("https://a.org/restart-service-now-2", "https://a.org/restart-service-now-2"),
    ("Bearer x1y2", "Bearer ***"), ("Basic YTpi", "Basic ***"), ("basic auth", "basic auth"), ("glpat-abcdefgh12", "***"), ("disk-usage-of-hosts", "disk-usage-of-hosts"),
])  # fmt: skip
def test_what_lets_in_by_an_address_or_looks_like_a_token_is_left_out(text: str, told: str) -> None:
    assert quoting.without_secrets(text) == told
    assert quoting.said(f"got {text!r}, and more") == f"got {told!r}, and more"
    assert quoting.excerpt(f'  - url: "{text}"  # why', 1, 1)[0] == f'  - url: "{told}"  # why'


@pytest.mark.parametrize(("text", "told"), [
    ("X-A", "X-A"), ("X-A\r\nB", "X-A\\r\\nB"), ("a\x1b[2J", "a\\x1b[2J"), ("ä'", "ä'"), ("x" * 200, "x" * 100), ("a\u202eb", "a\\u202eb"),
])  # fmt: skip
def test_a_name_ends_no_line(text: str, told: str) -> None:
    assert quoting.bare(text) == told


@pytest.mark.parametrize(("text", "told"), [
    ("at https://u:S3@a.org/x?token=S3 password=S3 Authorization: Bearer S3 it ended", "at https://***@a.org/x?token=*** password=*** Authorization: *** it ended"),
    ('{"msg": "password: S3", "x": 1} fine', '{"msg": "password: ***", "x": 1} fine'), (r'"{\"password\": \"S3\"}"', r'"{\"password\": ***}"'),
    ("password = S3", "password = ***"), ("-token: S3", "-token: ***"), ("X-Api-Key: S3", "X-Api-Key: ***"), ("AWS_SECRET_ACCESS_KEY=S3", "AWS_SECRET_ACCESS_KEY=***"),
    ("[WARNING]: curl --token S3 -u bob:S3 https://a.org", "[WARNING]: curl --token *** -u bob:*** https://a.org"), ("{'password': 'S3 S3', 'b': 1}", "{'password': ***, 'b': 1}"),
    ("password: S3\ndone at x: y", "password: ***\ndone at x: y"), ("invalid token: unexpected end", "invalid token: unexpected end"), ("a.token == b", "a.token == b"),
    ("exit 2: web01: copy: Could not find or access 'a.txt'", "exit 2: web01: copy: Could not find or access 'a.txt'"), ("Enter password: ", "Enter password: "),
])  # fmt: skip
def test_what_a_program_printed_keeps_what_is_no_secret(text: str, told: str) -> None:
    assert quoting.printed(text) == told
    assert quoting.printed(told) == told


@pytest.mark.parametrize(("text", "told"), [
    ("+token:S3", "+token:***"), ("password:S3 x", "password:*** x"), ("curl --user=admin:S3 x", "curl --user=admin:*** x"), ("curl -s -uadmin:S3 https://a", "curl -s -uadmin:*** https://a"),
    ("<password>S3</password>", "<password>***</password>"), ('<db:Password a="b">S3 S3</db:Password>', '<db:Password a="b">***</db:Password>'), ("password\tS3", "password\t***"), ("token=>S3", "token=>***"),
    ("IDENTIFIED BY 'S3'", "IDENTIFIED BY '***'"), ("ALTER USER x WITH PASSWORD 'S3';", "ALTER USER x WITH PASSWORD '***';"), ("openssl x -passin pass:S3 y", "openssl x -passin pass:*** y"),
    ("echo 'root:S3' | chpasswd", "echo 'root:***' | chpasswd"), ("ldapsearch -x -w S3 -D a", "ldapsearch -x -w *** -D a"), ("smbclient -U u%S3 //x", "smbclient -U u%*** //x"),
    ("machine h login u password S3 x", "machine h login u password *** x"), ("SG.S3aaaaaaaaaaaaaaaaaaaa.S3bbbbbbbbbbbbbbbbbbbbbb", "***"), ("{token: S3, x: 1}", "{token: ***, x: 1}"), ("(token: S3)", "(token: ***)"),
    ("secret: /run/secrets/db: permission denied", ""), ("secret=/etc/x.key is gone", ""), ("token: expired, log in again", ""), ("token: expired", ""), ("cannot fetch token: 401 Unauthorized", ""),
    ('failed to get token: Post "https://sso.org/token": dial tcp', ""), ("getting credentials: exec: executable x not found", ""), ("auth: connection refused by x", ""), ("SMTP AUTH: 535 5.7.8 x", ""),
    ("Access denied for user 'x' (using password: YES)", ""), ("tests: pass=10 fail=2", ""), ("PASS: 12 FAIL: 1", ""), ("tokens: 5", ""), ("max_tokens=100", ""), ("docker.io/library/token:1.2 is gone", ""),
    ("password: invalid1", "password: ***"), ("password=expired", "password=***"), ("pin: 123 A", "pin: *** A"), ("password: 12345", "password: ***"), ("pass=10", "pass=***"), ("password: /S3/x+y", "password: ***"),
    ("Auth::Token::get x", ""), ("password: connection", "password: ***"),
])  # fmt: skip
def test_what_is_in_doubt_by_its_form_alone(text: str, told: str) -> None:
    assert quoting.printed(text) == (told or text)
    assert quoting.printed(told) == told


LINES = (
    "MIIEvS3BADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
    "S3QyNTUxOQAAACAbCdEfGh1jKlMnOpQrStUvWxYz0123456789abcdefghijklmnopqr+S3",
    "S3dZQ2hB",
)
BEGIN, END = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize("before", ["", "+", "-", "+    ", "    ", "| ", "\t"])
@pytest.mark.parametrize(("first", "last"), [
    (BEGIN, END), (BEGIN, ""), ("", END), ("***", "***"), (BEGIN, "***"), ("***", END), ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,S3\n", ""),
    ("-----BEGIN PGP PRIVATE KEY BLOCK-----", "-----END PGP PRIVATE KEY BLOCK-----"), ("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----", "---- END SSH2 ENCRYPTED PRIVATE KEY ----"),
])  # fmt: skip
def test_nothing_of_a_private_key_is_left_of_what_a_program_printed(before: str, first: str, last: str) -> None:
    lines = [line for line in (*first.split("\n"), *LINES, last) if line]
    text = "\n".join(["--- before", "+++ after", *(before + line for line in lines), f"{before}port: 5", "ok: done"])
    told = quoting.printed(text)
    assert "S3" not in told, told
    assert told.startswith("--- before\n+++ after\n")
    assert told.endswith(f"{before}port: 5\nok: done")
    assert quoting.printed(told) == told


@pytest.mark.parametrize("between", ["\\n", "\\\\n", " ", " + ", " - ", "\\r\\n", "\r\n", "', '"])
@pytest.mark.parametrize(("first", "last"), [(BEGIN, END), (BEGIN, ""), ("", END), ("***", "***"), ("x ***", "")])
def test_nor_where_it_stands_on_one_line(between: str, first: str, last: str) -> None:
    text = f'{{"msg": "{between.join(filter(None, [first, *LINES, last]))}", "port": 5}} it ended'
    told = quoting.printed(text)
    assert "S3" not in told, told
    assert told.endswith('", "port": 5} it ended')


@pytest.mark.parametrize("text", [
    "no -----BEGIN PRIVATE KEY----- in /etc/ssl/private/a.pem", f"{BEGIN} is missing\nport: 5", f"expected '{BEGIN}', got 'x'", f"found {END} without its beginning",
    "-----BEGIN CERTIFICATE-----\nMIIBdTCCARugAwIBAgIUK0123456789abcdefghijklmnopqrstuvwxyzABCDEFG0\n-----END CERTIFICATE-----",
    "sha256:*** 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA0123456789abcdefghijklmnopqrstuvwxyzABCD=\n-----END PUBLIC KEY-----",
    "*** permission denied: /usr/local/Share/Applications1/OfSomebody2/Else3",
])  # fmt: skip
def test_what_is_about_private_keys_and_none_is_shown(text: str) -> None:
    assert quoting.printed(text) == text


def test_a_private_key_in_a_value_is_left_out_too() -> None:
    text = "\n".join((BEGIN, *LINES, END))
    assert quoting.without_secrets(f"x {text}") == f"x {BEGIN}***{END}"
    assert quoting.said(f"got {text!r}") == f"got '{BEGIN}***{END}'"
    assert quoting.printed("a LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUgS0VZLS0tLS0KUzM= b") == "a *** b"
    assert quoting.printed("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==") == "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="
    assert quoting.printed("a\n b3BlbnNzaC1rZXktdjEAAAAABG5vbmUS3\n b") == "a\n ***\n b"
    assert quoting.printed("AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L") == "***"


def test_a_password_is_left_out_before_a_text_is_cut() -> None:
    assert "pw" not in quoting.shown(f"https://u:{'pw' * 500}@a.org")


@pytest.mark.parametrize(
    "piece",
    [
        "a", "a:", "//", "a@", "a-", "token", "token: ", "token: a # ", "token=a ", "'", "{token: ", "a://", "?a=", "?sig=", "--token ",
        "a: 'b' ", '"', "/a1B", "Bearer ", "a b", "[a, ", "token: [", "a:// b:c d@",
        "mysql ", "token == '", "token in [", "token is match(", "tokens: {a: ", "'x' == ", "https://hooks.slack.com/a/", "token = ", "oc login ",
        "***", "*** ", "*** + ", "+ ", f"{BEGIN} ", f"{BEGIN}\n", f"{END} ", "b3BlbnNzaC1rZXktdjE", "b3BlbnNzaC1rZXktdjE ", f"*** {LINES[0]} ", f"{LINES[0]}\n", "\\n", "<token>", "token\t", "curl -u", "token:", "pass=1 ",
    ],
)  # fmt: skip
def test_long_texts_are_looked_through_once(piece: str) -> None:
    """Looked at from each place anew, they would take hours."""
    text = piece * (200_000 // len(piece))
    for looked in (quoting.without_secrets, quoting.said, quoting.printed):
        assert "pw" not in looked(f"{text} u:pw@a")
    assert quoting.excerpt(f"{text}\n", 1, 1)[2] >= 1


@pytest.mark.parametrize(("line", "told"), [
    ('auth: {bearer: "PLAIN-42"}', "auth: {bearer: ***}"), ("token: PLAIN, more   # why", "token: ***   # why"),
    ("  s: {token: PLAIN, ca: x}", "  s: {token: ***, ca: x}"), ("'api_key': 'it''s'  # x", "'api_key': ***  # x"),
    ('{"password":"a\\"b", "x": 1}', '{"password":***, "x": 1}'), ("web01 ansible_password=PLAIN port=22", "web01 ansible_password=*** port=22"),
    ('token: {secret: "env:T"}', 'token: {secret: "env:T"}'), ('token: {secret: "PLAIN"}', "token: {secret: ***}"), ("secret: file:/x", "secret: file:/x"),
    ("password: |", "password: |"), ("password: !vault |", "password: !vault |"), ("token: null", "token: null"), ("token:", "token:"),
    ("verify_token: yes", "verify_token: yes"), ('condition: event.token == "x"', 'condition: event.token == "***"'), ("- name: token of x", "- name: token of x"),
    ("url: https://u:pw@a.org", "url: https://***@a.org"), ("tokens_of: x", "tokens_of: x"), ("token: '{{ x }}'", "token: '{{ x }}'"),
    ("password: a#b", "password: ***"), ("db.password: x", "db.password: ***"), ("pasword: x", "pasword: ***"), ("{tokne: x y, port: 5}", "{tokne: ***, port: 5}"),
    ("X-Auth-Token: x", "X-Auth-Token: ***"), ("api-key = x", "api-key = x"), ("api-key=x", "api-key=***"), ("token : x", "token : ***"), ("{token: a#b}", "{token: ***}"),
    ("{token: [a, b], path: c}", "{token: [***], path: c}"), ("{token: {value: x}, value: y}", "{token: {value: ***}, value: y}"), ("auth: basic", "auth: basic"),
    ("{username: ana, password: x}", "{username: ***, password: ***}"), ("{username: ana, password: }", "{username: ana, password: }"), ("auth: x", "auth: ***"),
    ("[tool, --token, x, --port, y]", "[tool, --token, ***, --port, y]"), ("curl -u ana:x https://a.org", "curl -u ana:*** https://a.org"),
    ("x: 'Server=a;Password=b;'", "x: 'Server=a;Password=***'"), ("jump: [ops:p w@b, c]", "jump: [ops:***@b, c]"), ("user: ops:p w@b", "user: ops:***@b"),
    ("path: /a, port: 22, host: b, key: c", "path: /a, port: 22, host: b, key: c"),
    ("tokens: {a: PL, b: 'PL'}", "tokens: {a: ***, b: ***}"), ("credentials: {x: PL}", "credentials: {x: ***}"), ("secrets: {db: PL, of: 'env:X'}", "secrets: {db: ***, of: 'env:X'}"),
    ("tokens: {type: object, a: {b: PL}}, c: d", "tokens: {type: object, a: {b: ***}}, c: d"), ("token: {a: b}", "token: {a: b}"),
    ("cmd: mysqldump -u root -pPL db > x", "cmd: mysqldump -u root -p*** db > x"), ("[mysql, '-pPL', -u, root]", "[mysql, '-p***', -u, root]"),
    ("cmd: mysql -p'P L' db", "cmd: mysql -p'***' db"), ("cmd: mysql -p db", "cmd: mysql -p db"), ("cmd: mysql -p{{ x }}", "cmd: mysql -p{{ x }}"), ("cmd: mysql -p$PW", "cmd: mysql -p$PW"),
    ("cmd: sshpass -p PL ssh a", "cmd: sshpass -p *** ssh a"), ("[sshpass, -p, PL, ssh]", "[sshpass, -p, ***, ssh]"), ("cmd: mkdir -p /x; ssh -p 22 a", "cmd: mkdir -p /x; ssh -p 22 a"),
    ("cmd: docker login -u a -p PL r", "cmd: docker login -u a -p *** r"), ("cmd: redis-cli -a PL ping", "cmd: redis-cli -a *** ping"),
    ("condition: 'event.payload[\"password\"] == \"PL\"'", "condition: 'event.payload[\"password\"] == \"***\"'"), ("c: '\"PL\" != event.pin'", "c: '\"***\" != event.pin'"),
    ("c: event.token in ['PL', 'PM'] and event.x == 'y'", "c: event.token in [***] and event.x == 'y'"), ("c: event.token is match('PL')", "c: event.token is match(***)"),
    ("session_id: PL", "session_id: ***"), ("JSESSIONID=PL", "JSESSIONID=***"), ("pin: 1234", "pin: ***"), ("GITHUB_PAT: PL", "GITHUB_PAT: ***"), ("pinned: x, path: y, id: z", "pinned: x, path: y, id: z"),
    ("u: https://hooks.slack.com/services/T0AB/B0CD/abcdefghijklmnopqrstuvwx", "u: https://hooks.slack.com/services/T0AB/B0CD/***"),
    ("auth: none", "auth: none"), ("auth: None  # x", "auth: None  # x"), ("{auth: 'none', x: 1}", "{auth: 'none', x: 1}"), ("auth: none, really", "auth: none, really"),
])  # fmt: skip
def test_a_line_says_nothing_that_its_keys_call_a_secret(line: str, told: str) -> None:
    assert quoting.excerpt(line, 1, 1)[0] == told


@pytest.mark.parametrize(
    ("marked", "under"),
    [("x", "x"), ("PLAIN", "***"), ("later", "later"), ('"https://u:pw@a.org"', '"https://***@a.org"')],
)
def test_the_caret_stands_under_what_is_marked(marked: str, under: str) -> None:
    line = 'x: {token: PLAIN, url: "https://u:pw@a.org", later: 5}'
    document = config.Document("f.yml", line)
    document.error("c", "m", (1, line.index(marked) + 1, len(marked)))
    shown, caret = str(document.diagnostics[0]).splitlines()[1:]
    assert caret.index("^") == shown.index(under)
    assert caret.count("^") == len(under)


def test_what_is_concealed_is_quoted_nowhere() -> None:
    text = 'key: "BEGIN\n  END"\nmore: {key: PEM, x: 1}\n'
    document = config.Document("f.yml", text)
    for mark in ((1, 6, 1), (3, 13, 3), None, (9, 1, 1)):
        document.conceal(mark)
    document.error("c", "m", (1, 1, 3))
    document.error("c", "m", (3, 18, 1))
    assert [one.text for one in document.diagnostics] == ["key: ***", "more: {key: ***, x: 1}"]


@pytest.mark.parametrize(("text", "shown"), [
    ("token: |\n  PLAIN\n   more: x\nport: 5", {2: "  ***", 3: "   ***", 4: "port: 5"}), ("tokens:\n- PLAIN\n- a", {2: "***", 3: "***"}),
    ("password:\n  PLAIN\nport: 5", {2: "  ***", 3: "port: 5"}), ("password: 'a\nPLAIN'\nport: 5", {1: "password: ***", 2: "***", 3: "port: 5"}),
    ("key: |\n  -----BEGIN RSA PRIVATE KEY-----\n  PLAIN\n  -----END RSA PRIVATE KEY-----\nx", {3: "  ***", 5: "x"}), ("token: a\n- b", {2: "- b"}),
    ("token:\n  x: a", {2: "  x: a"}), ("tokens:\n  x: PLAIN\n  y: env:Y\n  type: a\nz: b", {2: "  x: ***", 3: "  y: env:Y", 4: "  type: a", 5: "z: b"}), ("name:\n  a\n  b", {2: "  a", 3: "  b"}), ("token: {x: a}\n  b: c", {2: "  b: c"}),
])  # fmt: skip
def test_a_line_that_goes_on_with_a_secret_is_left_out(text: str, shown: dict[int, str]) -> None:
    lines = quoting.Lines(text.split("\n"))
    assert {number: lines.excerpt((number, 1, 1))[0] for number in shown} == shown


def test_what_a_message_repeats_of_a_secret_is_left_out() -> None:
    document = config.read_text(
        "username: anastasia\npassword: PLAIN-42\ndefault: anastasia\nenv: {name: TOKEN, value: PL5}\n", "f.yml"
    )
    document.error("c", "a mapping is wanted, got 5", document.value.values_at["password"])
    document.error("c", "no one is named 'anastasia', nor 'PLAIN-42'", (3, 1, 1), "did you mean 'anastasia'?")
    document.error("c", "m", (1, 1, 1))
    document.error("c", "m", (4, 1, 1))
    assert [(one.message, one.text, one.try_) for one in document.diagnostics] == [
        ("a mapping is wanted", "password: ***", ""), ("no one is named '***', nor '***'", "default: anastasia", "did you mean '***'?"),
        ("m", "username: ***", ""), ("m", "env: {name: TOKEN, value: ***}", ""),
    ]  # fmt: skip


@hypothesis.given(
    st.text(alphabet="ab:/@ '\"{},token=", max_size=60),
    st.integers(1, 70),
    st.integers(1, 70),
    st.lists(st.tuples(st.integers(-5, 70), st.integers(-5, 70))),
)
def test_whatever_is_masked_the_caret_stays_on_the_line(
    line: str, column: int, width: int, hidden: list[tuple[int, int]]
) -> None:
    text, moved, wide = quoting.excerpt(line, column, width, hidden)
    assert column + moved >= 1
    assert wide >= 1
    if column + width - 1 <= len(line):
        assert column - 1 + moved + wide <= len(text)
    told = str(errors.Diagnostic("c", "m", errors.Place("f", 1, column), text=text, width=wide, moved=moved))
    assert told.startswith(f"f:1:{column}: ")
