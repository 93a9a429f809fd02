"""What is particular to Amazon SNS: its signature, its marks, its way to say that it is asked too much."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from rules.notify.notification import DeliveryFailed, InvalidReceiver
from rules.notify.receivers.sns.signing import Signer
from rules.notify.requesting import FORM
from tests.contracts.receiver_benches import OVER_HTTP
from tests.factories.rows import NOON

TOPIC = "arn:aws:sns:eu-west-3:123456789012:alerts"
KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    ("token", "signature"),
    [
        pytest.param(None, "24ac14a6a6656f1e101639d577ecb4b3b4f5615080110ab2d1509379a6ef0f7e", id="key"),
        pytest.param(
            "TOKEN==", "7057712ab2135fcd2b8379498f5f8a30890a1bc0d4e38eca2b581b0f27dc0ade", id="session"
        ),
    ],
)
def test_the_signature_is_that_of_amazons_own_client(token, signature):
    """The expected values were made with botocore 1.44.5."""
    signer = Signer("AKIDEXAMPLE", KEY, token, "eu-west-3", "sns")
    body = b"Action=Publish&Message=%C3%A9"
    headers = signer.headers("https://sns.eu-west-3.amazonaws.com/", body, FORM, NOON)
    assert headers["Authorization"].endswith(f"Signature={signature}")
    assert headers.get("x-amz-security-token") == token


def fields_of(config, **values):
    with OVER_HTTP["sns"].bench() as bench:
        bench.config = {"region": "eu-west-3"} | config
        bench.send(**values)
        (arrived,) = bench.arrived()
    return {name: value for name, (value,) in parse_qs(arrived.partition("\n\n")[2]).items()}


def test_a_fifo_topic_drops_what_was_sent_before():
    fields = fields_of({"topic_arn": f"{TOPIC}.fifo"}, idempotency_key="group 1:1")
    assert fields["MessageDeduplicationId"] == "group-1:1"
    assert "MessageGroupId" in fields


def test_a_topic_of_the_usual_kind_is_not_asked_to():
    assert "MessageDeduplicationId" not in fields_of({"topic_arn": TOPIC})


def test_a_telephone_gets_a_short_message_without_subject():
    fields = fields_of({"phone_number": "+33612345678"}, annotations={"summary": "é" * 9_000})
    assert fields["PhoneNumber"] == "+33612345678"
    assert len(fields["Message"]) <= 1_600
    assert "Subject" not in fields


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({}, id="neither"),
        pytest.param({"topic_arn": TOPIC, "phone_number": "+33612345678"}, id="both"),
    ],
)
def test_it_goes_to_a_topic_or_to_a_telephone(config):
    with pytest.raises(InvalidReceiver, match="either `topic_arn` or `phone_number`"):
        fields_of(config)


def test_being_asked_to_slow_down_is_tried_again_whatever_its_status():
    with OVER_HTTP["sns"].bench() as bench:
        bench.answer(status=400, body=b"<ErrorResponse><Code>Throttling</Code></ErrorResponse>")
        with pytest.raises(DeliveryFailed, match="Throttling"):
            bench.send()
