"""Which addresses of a message of Amazon SNS may be asked: those of SNS in the topic's own region, in one spelling."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.web import evidence, sns

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
HOST = "https://sns.eu-west-1.amazonaws.com"
PEM = "/SimpleNotificationService-0a1b2c.pem"
QUERY = f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f"

HOSTILE_HOSTS = [
    "https://s3.amazonaws.com",
    "https://sns.eu-west-1.s3.amazonaws.com",
    "https://evil.s3.eu-west-1.amazonaws.com",
    "https://sns.eu-west-1.amazonaws.com.evil.example",
    "https://sns.eu-west-1.amazonaws.com.cn.evil.example",
    "https://sns.eu-west-1.amazonaws.comevil.example",
    "https://sns.eu-west-1.amazonaws.co",
    "https://sns.eu-west-1.amazonaws.com.cn",
    "https://sns.us-east-1.amazonaws.com",
    "https://sns.eu-west-2.amazonaws.com",
    "https://sns.eu-west-1.evil.amazonaws.com",
    "https://evilsns.eu-west-1.amazonaws.com",
    "https://x.sns.eu-west-1.amazonaws.com",
    "https://sns.amazonaws.com",
    "https://sns..amazonaws.com",
    "https://sns.eu-west-1.amazonaws.com.",
    "https://sns.eu-west-1.amazonaws.com:443",
    "https://sns.eu-west-1.amazonaws.com:8443",
    "https://user@sns.eu-west-1.amazonaws.com",
    "https://user:pw@sns.eu-west-1.amazonaws.com",
    "https://evil.example@sns.eu-west-1.amazonaws.com",
    "https://sns.eu-west-1.amazonaws.com@evil.example",
    "https://sns.eu-west-1.amazonaws.com#@evil.example",
    "https://evil.example\\@sns.eu-west-1.amazonaws.com",
    "https://sns.eu-west-1.amazonaws.com\\.evil.example",
    "https://sns.eu-west-1.amazonaws.com%2eevil.example",
    "https://sns.eu-west-1.amazonaws.com%00.evil.example",
    "https://sns\u3002eu-west-1\u3002amazonaws\u3002com",
    "https://\uff53ns.eu-west-1.amazonaws.com",
    "https://\u0455ns.eu-west-1.amazonaws.com",
    "https://xn--ns-0kc.eu-west-1.amazonaws.com",
    "https://SNS.eu-west-1.amazonaws.com",
    "https://sns.EU-WEST-1.amazonaws.com",
    "http://sns.eu-west-1.amazonaws.com",
    "HTTPS://sns.eu-west-1.amazonaws.com",
    "ftp://sns.eu-west-1.amazonaws.com",
    "file://sns.eu-west-1.amazonaws.com",
    "//sns.eu-west-1.amazonaws.com",
    "sns.eu-west-1.amazonaws.com",
    "https:/sns.eu-west-1.amazonaws.com",
    "https:///sns.eu-west-1.amazonaws.com",
    "https://169.254.169.254",
    "https://[::1]",
    "https://[::ffff:169.254.169.254]",
    "https://127.0.0.1",
    "https://0x7f000001",
    "https://localhost",
    " https://sns.eu-west-1.amazonaws.com",
    "\thttps://sns.eu-west-1.amazonaws.com",
    "https://sns.eu-west-1.amazonaws.com\n.evil.example",
    "https://sns.eu-west-1\n.amazonaws.com",
    "",
]
HOSTILE_PATHS = [
    "/evil.pem",
    "/SimpleNotificationService",
    "/SimpleNotificationService-.pem",
    "/SimpleNotificationService-a-b.pem",
    "/SimpleNotificationService-ä.pem",
    "/SimpleNotificationService-a.pem.evil",
    "/SimpleNotificationService-a.pem?x=1",
    "/SimpleNotificationService-a.pem#x",
    "/SimpleNotificationService-a.pem\n",
    "/SimpleNotificationService-a.pem\0",
    "/SimpleNotificationService-a%2f..%2fevil.pem",
    "/SimpleNotificationService-../evil.pem",
    "/x/SimpleNotificationService-a.pem",
    "//SimpleNotificationService-a.pem",
    "/../SimpleNotificationService-a.pem",
    "/simplenotificationservice-a.pem",
    "/SimpleNotificationService-" + "a" * 129 + ".pem",
    "/?Action=ConfirmSubscription",
    "",
    "/",
]
HOSTILE_QUERIES = [
    "/",
    "/?",
    "/?Action=ConfirmSubscription",
    f"/?Action=ConfirmSubscription&TopicArn={TOPIC}",
    f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=",
    f"/?Action=Unsubscribe&TopicArn={TOPIC}&Token=1",
    f"/?Action=DeleteTopic&TopicArn={TOPIC}&Token=1",
    f"/?Action=ConfirmSubscription&TopicArn={TOPIC}x&Token=1",
    f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=1&Token=2",
    f"/?Action=ConfirmSubscription&Action=DeleteTopic&TopicArn={TOPIC}&Token=1",
    f"/?Action=DeleteTopic&Action=ConfirmSubscription&TopicArn={TOPIC}&Token=1",
    f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=1&More=1",
    f"/?action=ConfirmSubscription&TopicArn={TOPIC}&Token=1",
    f"/x?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=1",
    f"?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=1",
    f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=1#x",
    f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=1\r\nHost: evil",
    f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=1 ",
    f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={'1' * 2000}",
]


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_a_host_that_is_not_that_of_the_topic(host: str) -> None:
    assert host != HOST
    with pytest.raises(evidence.Unproved) as raised:
        sns.certificate(host + PEM, TOPIC)
    assert raised.value.reason == "SigningCertURL is no address of a certificate of SNS in the topic's region"
    with pytest.raises(evidence.Unproved) as raised:
        sns.visit(host + QUERY, TOPIC)
    assert raised.value.reason == "SubscribeURL is no address of SNS in the topic's region"


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_a_path_that_is_none_of_a_certificate(path: str) -> None:
    with pytest.raises(evidence.Unproved):
        sns.certificate(HOST + path, TOPIC)


@pytest.mark.parametrize("query", HOSTILE_QUERIES)
def test_an_address_that_does_something_else(query: str) -> None:
    with pytest.raises(evidence.Unproved):
        sns.visit(HOST + query, TOPIC)


@pytest.mark.parametrize(("topic", "host"), [
    (TOPIC, HOST),
    ("arn:aws:sns:us-east-2:123456789012:a_B-1", "https://sns.us-east-2.amazonaws.com"),
    ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:a", "https://sns.us-gov-west-1.amazonaws.com"),
    ("arn:aws-cn:sns:cn-north-1:123456789012:a", "https://sns.cn-north-1.amazonaws.com.cn"),
])  # fmt: skip
def test_the_addresses_of_a_region(topic: str, host: str) -> None:
    sns.certificate(host + PEM, topic)
    sns.certificate(f"{host}/SimpleNotificationService.pem", topic)
    sns.visit(f"{host}/?Action=ConfirmSubscription&TopicArn={topic}&Token=2336412f37", topic)
    sns.visit(f"{host}/?Action=ConfirmSubscription&TopicArn={topic.replace(':', '%3A')}&Token=2336412f37", topic)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "alerts",
        "arn:aws:sqs:eu-west-1:123456789012:alerts",
        f"{TOPIC}\n",
        "arn:aws:sns:EU:1234:a",
        "arn:aws-x:sns:eu-west-1:1234:a",
    ],
)
def test_a_topic_that_is_none_has_no_address(topic: str) -> None:
    with pytest.raises(evidence.Unproved):
        sns.certificate(HOST + PEM, topic)


async def test_a_subscription_is_confirmed_by_one_visit() -> None:
    asked: list[str] = []

    async def fetch(url: str) -> bytes:
        asked.append(url)
        return b"<ConfirmSubscriptionResponse/>"

    await sns.confirm(HOST + QUERY, TOPIC, fetch)
    assert asked == [HOST + QUERY]
    with pytest.raises(evidence.Unproved):
        await sns.confirm("https://evil.example" + QUERY, TOPIC, fetch)
    assert len(asked) == 1


@hypothesis.given(
    st.text() | st.text(alphabet="htps:/.@#?=&%snamzowcu-1e\\").map(lambda tail: HOST + tail),
    st.text() | st.just(TOPIC),
)
def test_whatever_an_address_is_it_is_refused_or_fits(url: str, topic: str) -> None:
    for look in (sns.certificate, sns.visit):
        try:
            look(url, topic)
        except evidence.Unproved:
            continue
        assert url.startswith(f"{HOST}/")
