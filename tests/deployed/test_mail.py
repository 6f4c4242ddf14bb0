"""A booking and a link sent by its host become emails in the deployed stack."""

import json
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Final

import httpx
import pytest

from tests.deployed.conftest import MAIL_SENDER, Stack
from tests.support.app import ALL_DAY, JSON
from tests.support.waiting import LIMIT, until

ADA: Final = "ada@mail.example"
GRACE: Final = "grace@mail.example"


def _mails(stack: Stack, to: str) -> list[EmailMessage]:
    mails = [
        message_from_bytes(path.read_bytes(), policy=policy.default) for path in stack.mails.glob("*.eml")
    ]
    return [mail for mail in mails if mail["to"].addresses[0].addr_spec == to]


def _link(stack: Stack) -> dict[str, Any]:
    with stack.http() as http:
        host = {"name": "Ada Lovelace", "email": ADA, "timeZone": "Europe/Berlin"}
        host_id = http.post("/v1/hosts", json=host).json()["hostId"]
        event_type = {"hostId": host_id, "title": "Intro", "durationMinutes": 30, "schedule": ALL_DAY}
        created = http.post("/v1/event-types", json=event_type)
        assert created.status_code == 201, created.text
        links = {"eventTypeId": created.json()["eventTypeId"], "recipient": {"name": "Grace", "email": GRACE}}
        answer = http.post("/v1/links", json=links)
        assert answer.status_code == 201, answer.text
        link: dict[str, Any] = answer.json()["links"][0]
        return link


def test_a_link_is_emailed_and_its_booking_confirmed_to_host_and_invitee(stack: Stack) -> None:
    """P6, P7: from the API through stream, bus and queue to SES, once each, without a token in any message."""
    link = _link(stack)
    with stack.http() as http:
        sent = http.post(f"/v1/links/{link['linkId']}/send", json={"language": "de", "message": "Bis bald!"})
    assert sent.status_code == 202, sent.text
    [mail] = until(lambda: _mails(stack, GRACE))
    text = mail.get_body(("plain",))
    assert text is not None
    assert link["url"] in text.get_content()
    assert (mail["content-language"], mail["from"].addresses[0].addr_spec) == ("de", MAIL_SENDER)

    start = f"{stack.world.now() + timedelta(days=3):%Y-%m-%dT12:00:00Z}"
    body = {"start": start, "timeZone": "Europe/Berlin", "invitee": {"name": "Grace", "email": GRACE}}
    booked = httpx.post(link["url"] + "/redeem", json=body, headers=JSON, timeout=LIMIT, trust_env=False)
    assert booked.status_code == 201, booked.text
    hosts = until(lambda: _mails(stack, ADA))
    assert len(hosts) == 1
    assert until(lambda: len(_mails(stack, GRACE)) == 2)
    [confirmation] = [one for one in _mails(stack, GRACE) if "text/calendar" in str(one)]
    text = confirmation.get_body(("plain",))
    assert text is not None
    assert booked.json()["url"] in text.get_content()

    messages = httpx.get(
        f"{stack.engine.endpoint_url}/_ministack/ses/messages", timeout=LIMIT, trust_env=False
    )
    assert messages.text.count(GRACE) >= 2
    token = link["url"].rpartition("/")[2]
    assert not [line for line in stack.logs() if token in line]
    with stack.http() as http:
        types = [row["type"] for row in http.get(f"/v1/links/{link['linkId']}/history").json()["history"]]
    assert {"mail.requested", "mail.sent"} <= set(types)


@pytest.fixture
def feedback_rule(stack: Stack) -> Iterator[str]:
    """The stack's rule on the default bus, which also accepts `tests.ses`, because only AWS may send `aws.ses`."""
    events, name = stack.client("events"), stack.physical_id("MailFeedbackRule")
    pattern = events.describe_rule(Name=name)["EventPattern"]
    changed = json.loads(pattern)
    changed["source"] = ["aws.ses", "tests.ses"]
    events.put_rule(Name=name, EventPattern=json.dumps(changed))
    yield pattern
    events.put_rule(Name=name, EventPattern=pattern)


def test_a_bounce_reported_by_ses_is_in_the_history(stack: Stack, feedback_rule: str) -> None:
    """An event in SES's format goes through the account's default bus and the deployed rule, queue and function.

    The local SES publishes no events, and only AWS can publish with the source `aws.ses`. The test therefore publishes
    with another source, and checks separately that the rule's pattern matches `aws.ses`.
    """
    link = _link(stack)
    names = stack.client("sesv2").list_configuration_sets()["ConfigurationSets"]
    assert stack.physical_id("MailConfigurationSet") in names
    detail = _bounce(stack, link)

    events = stack.client("events")
    entry = {"Source": "aws.ses", "DetailType": "Email Bounced", "Detail": json.dumps(detail)}
    refused = events.put_events(Entries=[entry])["Entries"][0]
    assert refused["ErrorCode"] == "NotAuthorizedForSourceException"
    assert _matches(stack, feedback_rule, detail)
    others = json.loads(json.dumps(detail))
    others["mail"]["tags"]["ses:configuration-set"] = ["of-another-stage"]
    assert not _matches(stack, feedback_rule, others)

    accepted = events.put_events(Entries=[entry | {"Source": "tests.ses"}])
    assert accepted["FailedEntryCount"] == 0

    def bounced() -> list[dict[str, Any]]:
        with stack.http() as http:
            rows = http.get(f"/v1/links/{link['linkId']}/history").json()["history"]
        return [row for row in rows if row["type"] == "mail.bounced"]

    [row] = until(bounced, bool)
    assert row["data"]["reason"] == "Permanent/General 5.1.1"
    assert row["data"]["to"] == "g…@mail.example"


def _matches(stack: Stack, pattern: str, detail: dict[str, Any]) -> bool:
    """Return whether a rule with that pattern matches an event from `aws.ses`."""
    event = {
        "version": "0",
        "id": "a-random-id",
        "detail-type": "Email Bounced",
        "source": "aws.ses",
        "account": "000000000000",
        "time": "2026-11-23T10:14:05Z",
        "region": "us-east-1",
        "resources": [
            f"arn:aws:ses:us-east-1:000000000000:configuration-set/{stack.physical_id('MailConfigurationSet')}"
        ],
        "detail": detail,
    }
    found = stack.client("events").test_event_pattern(EventPattern=pattern, Event=json.dumps(event))
    takes: bool = found["Result"]
    return takes


def _bounce(stack: Stack, link: dict[str, Any]) -> dict[str, Any]:
    """Return SES's event for a bounced email, with all members that AWS documents."""
    return {
        "eventType": "Bounce",
        "bounce": {
            "feedbackId": "0100-feedback",
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [
                {
                    "emailAddress": GRACE,
                    "action": "failed",
                    "status": "5.1.1",
                    "diagnosticCode": "smtp; 550 5.1.1 user unknown",
                }
            ],
            "timestamp": "2026-11-23T10:14:05.120Z",
            "reportingMTA": "dsn; mta.example.com",
        },
        "mail": {
            "timestamp": "2026-11-23T10:14:02.000Z",
            "source": MAIL_SENDER,
            "sourceArn": f"arn:aws:ses:us-east-1:000000000000:identity/{MAIL_SENDER}",
            "sendingAccountId": "000000000000",
            "messageId": "0100-message",
            "destination": [GRACE],
            "headersTruncated": False,
            "headers": [{"name": "From", "value": MAIL_SENDER}, {"name": "To", "value": GRACE}],
            "commonHeaders": {
                "from": [MAIL_SENDER],
                "to": [GRACE],
                "messageId": "0100-message",
                "subject": "Intro",
            },
            "tags": {
                "ses:operation": ["SendEmail"],
                "ses:configuration-set": [stack.physical_id("MailConfigurationSet")],
                "ses:source-ip": ["192.0.2.0"],
                "ses:from-domain": ["example.com"],
                "ses:caller-identity": ["mail"],
                "eventId": ["evt_" + "a" * 26],
                "addressee": ["recipient"],
                "linkId": [link["linkId"]],
                "hostId": [link["hostId"]],
                "eventTypeId": [link["eventTypeId"]],
            },
        },
    }
