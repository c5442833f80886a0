"""The options of the push sources: what is refused, and what stands where nothing is said."""

from __future__ import annotations

import pickle
from typing import Any

import jsonschema
import pytest

from healer import config, plugins
from healer.sources import api, source, webhook

OPEN = {"none": True}
TOKEN = {"bearer": {"secret": "env:TOKEN"}}


def mistakes(shape: Any, given: Any) -> str:
    document = config.read_text("", "x.yml")
    plugins.check_options(document, shape, given, None, "healer.webhook")
    return " ".join(found.message for found in document.diagnostics)


def test_defaults() -> None:
    made = webhook.WebhookOptions.model_validate({"path": "am/eu-1", "auth": TOKEN})
    assert (made.format, made.max_body, made.max_quiet, made.delivery_id) == ("generic", 2 << 20, None, None)
    assert made.auth.bearer is not None
    assert made.auth.bearer.secret == "env:TOKEN"


def test_none_may_be_a_word() -> None:
    assert webhook.WebhookOptions.model_validate({"path": "a", "auth": "none"}).auth.none is True


def test_everything_said() -> None:
    given = {"path": "a", "auth": OPEN, "format": "alertmanager", "max_body": "16 MiB", "max_quiet": "10 minutes"}
    made = webhook.WebhookOptions.model_validate({**given, "alert_ttl": "7d", "delivery_id": "X-Delivery"})
    assert (made.max_body, made.max_quiet, made.alert_ttl, made.auth.none) == (16 << 20, 600.0, 604800.0, True)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"path": "a"}, "'auth' is missing"),
        ({"path": "a", "auth": {}}, "exactly one of"),
        ({"path": "a", "auth": {**OPEN, **TOKEN}}, "exactly one of"),
        ({"path": "a", "auth": {"none": False}}, "auth.none"),
        ({"path": "a", "auth": "nobody"}, "auth"),
        ({"path": "a", "auth": {"bearer": "plain"}}, "auth.bearer"),
        ({"path": "a", "auth": {"bearer": {"secret": "plain"}}}, "auth.bearer.secret"),
        ({"path": "/a", "auth": OPEN}, "path"),
        ({"path": "A", "auth": OPEN}, "path"),
        ({"path": "a" * 65, "auth": OPEN}, "path"),
        ({"path": "a\n", "auth": OPEN}, "path"),
        ({"path": "a", "auth": OPEN, "max_body": "17 MiB"}, "max_body"),
        ({"path": "a", "auth": OPEN, "max_quiet": "0s"}, "max_quiet"),
        ({"path": "a", "auth": OPEN, "delivery_id": "X Y"}, "delivery_id"),
        ({"path": "a", "auth": OPEN, "formt": "x"}, "'formt' is not known here"),
    ],
)
def test_wrong_options_are_told(given: dict[str, Any], says: str) -> None:
    assert says in mistakes(webhook.WebhookOptions, given)


def test_api_and_source() -> None:
    assert mistakes(api.ApiOptions, None) == ""
    assert "is not known here" in mistakes(api.ApiOptions, {"x": 1})
    assert mistakes(source.SourceOptions, {"name": "alertmanager"}) == ""
    assert "'name' is missing" in mistakes(source.SourceOptions, None)


AM = {"path": "a", "auth": OPEN, "format": "alertmanager"}


def test_a_sender_that_is_asked() -> None:
    made = webhook.WebhookOptions.model_validate({**AM, "reconcile": {"url": "http://am:9093/prefix"}}).reconcile
    assert made is not None
    assert (made.url, made.every, made.timeout, made.uptime_min) == ("http://am:9093/prefix", 300, 10, 600)
    assert (made.bearer, made.ca, made.receivers) == (None, None, [])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({**AM, "reconcile": {}}, "'url' is missing"),
        ({**AM, "reconcile": {"url": "http://user:secret@am"}}, "without a user"),
        ({**AM, "reconcile": {"url": "http://am?x=1"}}, "without a user"),
        ({**AM, "reconcile": {"url": "ftp://am"}}, "a URL like"),
        ({**AM, "reconcile": {"url": "http://am", "every": "0.5s"}}, "every"),
        ({**AM, "reconcile": {"url": "http://am", "bearer": "plain"}}, "reconcile.bearer"),
        ({**AM, "format": "generic", "reconcile": {"url": "http://am"}}, "not for generic"),
        ({**AM, "format": "none_of_ours", "reconcile": {"url": "http://am"}}, ""),
    ],
)
def test_what_cannot_be_asked_is_told(given: dict[str, Any], says: str) -> None:
    found = mistakes(webhook.WebhookOptions, given)
    assert says in found if says else found == ""


MAPPED = {"path": "a", "auth": OPEN, "mapping": {"resolves": True, "fields": {"name": "title", "status": "state"}}}


def test_a_mapping_stands_in_the_place_of_a_format() -> None:
    made = webhook.WebhookOptions.model_validate(MAPPED)
    assert made.format == "generic"
    form = webhook.reader_of(made)
    assert (form.name, form.resolves) == ("mapping", True)
    [element] = form.read({"title": "DiskFull", "state": "down"}, {})
    assert isinstance(element, plugins.Element)
    assert (element.event["alert"]["name"], element.event["alert"]["status"]) == ("DiskFull", "firing")
    assert pickle.loads(pickle.dumps(made)) == made


def test_the_reader_of_a_source_is_its_format() -> None:
    made = webhook.WebhookOptions.model_validate({"path": "a", "auth": OPEN, "format": "opsgenie"})
    assert webhook.reader_of(made) is plugins.find("formats", "opsgenie").FORMAT
    assert webhook.reader_of(webhook.WebhookOptions.model_validate({"path": "a", "auth": OPEN})).name == "generic"
    with pytest.raises(plugins.UnknownPlugin):
        webhook.reader_of(made.model_copy(update={"format": "nobody"}))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({**MAPPED, "format": "generic"}, "'mapping' stands in the place of 'format': one of them has to go"),
        ({**MAPPED, "mapping": None, "format": "generic"}, ""),
        (
            {**MAPPED, "mapping": {"fields": {"name": "a..b"}}},
            "mapping.fields.name: no path: at character 3 a key is missing",
        ),
        ({**MAPPED, "mapping": {}}, "'fields' is missing"),
        ({**MAPPED, "reconcile": {"url": "http://am"}}, "not for a mapping"),
    ],
)
def test_wrong_mappings_are_told(given: dict[str, Any], says: str) -> None:
    found = mistakes(webhook.WebhookOptions, given)
    assert says in found if says else found == ""


def test_the_schema_says_that_a_mapping_and_a_format_do_not_go_together() -> None:
    [schema], defs = plugins.schemas([webhook.WebhookOptions])
    check = jsonschema.Draft202012Validator({**schema, "$defs": defs})
    assert [
        check.is_valid(one)
        for one in (MAPPED, {**MAPPED, "format": "generic"}, {**MAPPED, "mapping": None, "format": "generic"})
    ] == [True, False, True]
    assert not check.is_valid({**MAPPED, "mapping": {"fields": {"nmae": "x"}}})
