"""Mail through the packaged stack: a booking, and a link that its host has sent, become mails without any pump."""

from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Final

import httpx
import pytest

from tests.deployed.conftest import MAIL_SENDER, Stack
from tests.deployed.shared import until
from tests.integration.doors import ALL_DAY, JSON

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
        made = http.post("/v1/event-types", json=event_type)
        assert made.status_code == 201, made.text
        links = {"eventTypeId": made.json()["eventTypeId"], "recipient": {"name": "Grace", "email": GRACE}}
        answer = http.post("/v1/links", json=links)
        assert answer.status_code == 201, answer.text
        link: dict[str, Any] = answer.json()["links"][0]
        return link


@pytest.mark.timeout(400)
def test_a_link_is_mailed_and_its_booking_told_to_both(stack: Stack) -> None:
    """P6, P7: from the API through stream, bus and queue into SES, once each, and with no token on the way."""
    link = _link(stack)
    with stack.http() as http:
        sent = http.post(f"/v1/links/{link['linkId']}/send", json={"language": "de", "message": "Bis bald!"})
    assert sent.status_code == 202, sent.text
    [mail] = until(lambda: _mails(stack, GRACE), bool, 120)
    text = mail.get_body(("plain",))
    assert text is not None
    assert link["url"] in text.get_content()
    assert (mail["content-language"], mail["from"].addresses[0].addr_spec) == ("de", MAIL_SENDER)

    start = f"{stack.world.now() + timedelta(days=3):%Y-%m-%dT12:00:00Z}"
    body = {"start": start, "timeZone": "Europe/Berlin", "invitee": {"name": "Grace", "email": GRACE}}
    booked = httpx.post(link["url"] + "/redeem", json=body, headers=JSON, timeout=60, trust_env=False)
    assert booked.status_code == 201, booked.text
    hosts = until(lambda: _mails(stack, ADA), bool, 120)
    assert len(hosts) == 1
    assert until(lambda: len(_mails(stack, GRACE)) == 2, bool, 120)
    [confirmation] = [one for one in _mails(stack, GRACE) if "text/calendar" in str(one)]
    text = confirmation.get_body(("plain",))
    assert text is not None
    assert booked.json()["url"] in text.get_content()

    messages = httpx.get(f"{stack.engine.endpoint_url}/_ministack/ses/messages", timeout=60, trust_env=False)
    assert messages.text.count(GRACE) >= 2
    token = link["url"].rpartition("/")[2]
    assert not [line for line in stack.logs() if token in line]
    with stack.http() as http:
        told = [row["type"] for row in http.get(f"/v1/links/{link['linkId']}/history").json()["history"]]
    assert {"mail.requested", "mail.sent"} <= set(told)


def test_what_ses_says_of_a_bounce_comes_into_the_history(stack: Stack) -> None:
    """The local SES sends no events; here the default bus gets one as AWS's does."""
    link = _link(stack)
    names = stack.client("sesv2").list_configuration_sets()["ConfigurationSets"]
    assert stack.physical_id("MailConfigurationSet") in names
    detail = {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": GRACE, "status": "5.1.1"}],
            "timestamp": "2026-11-23T10:14:05.120Z",
            "feedbackId": "0100-feedback",
        },
        "mail": {
            "timestamp": "2026-11-23T10:14:02.000Z",
            "messageId": "0100-message",
            "destination": [GRACE],
            "tags": {
                "ses:configuration-set": [stack.physical_id("MailConfigurationSet")],
                "eventId": ["evt_" + "a" * 26],
                "addressee": ["recipient"],
                "linkId": [link["linkId"]],
                "hostId": [link["hostId"]],
                "eventTypeId": [link["eventTypeId"]],
            },
        },
    }

    def bounced() -> list[dict[str, Any]]:
        with stack.http() as http:
            rows = http.get(f"/v1/links/{link['linkId']}/history").json()["history"]
        return [row for row in rows if row["type"] == "mail.bounced"]

    queue = stack.client("sqs")
    queue.send_message(QueueUrl=stack.physical_id("MailFeedbackQueue"), MessageBody=_event(detail))
    [row] = until(bounced, bool)
    assert row["data"]["reason"] == "Permanent/General 5.1.1"


def _event(detail: dict[str, Any]) -> str:
    import json

    return json.dumps({"source": "aws.ses", "detail-type": "Email Bounced", "detail": detail})
