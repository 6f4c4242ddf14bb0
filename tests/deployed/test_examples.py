"""The examples in docs/examples run unchanged: the state machine, and the rule that emails a link for a deal won."""

import json
import secrets
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from chalicelib.domain.clock import rfc3339
from tests.deployed.conftest import Stack
from tests.deployed.host_fixtures import event_type_of, links_of
from tests.support.app import JSON
from tests.support.aws.deployed_function import behind_runtime_client
from tests.support.waiting import LIMIT, until

EXAMPLES: Final = Path(__file__).parents[2] / "docs" / "examples"
GRACE: Final = {"name": "Grace Hopper", "email": "grace@invitees.example"}


@pytest.fixture(scope="module")
def machines(deployed: Stack) -> Iterator[str]:
    """The example's state machine, over the stack's functions behind the real runtime client."""
    with behind_runtime_client(deployed, "GenerateLinks", "RedeemLink", "RevokeLinks") as arns:
        definition = (EXAMPLES / "step-functions.json").read_text()
        for logical_id, arn in arns.items():
            definition = definition.replace("${" + logical_id + "Arn}", arn)
        assert "${" not in definition
        client = deployed.client("stepfunctions")
        created = client.create_state_machine(
            name="example", definition=definition, roleArn=_role(deployed, arns)
        )
        yield created["stateMachineArn"]
        client.delete_state_machine(stateMachineArn=created["stateMachineArn"])


def _role(stack: Stack, functions: dict[str, str]) -> str:
    """Create the state machine's role, which may invoke the three functions and nothing else."""
    iam, name = stack.client("iam"), f"states-{secrets.token_hex(4)}"
    states = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [states]})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    calls = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": list(functions.values())}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [calls]})
    iam.put_role_policy(RoleName=name, PolicyName="calls", PolicyDocument=policy)
    return arn


def run(stack: Stack, machine: str, given: dict[str, Any]) -> dict[str, Any]:
    """Run the state machine to its end and return the execution."""
    client = stack.client("stepfunctions")
    name = f"run-{secrets.token_hex(6)}"
    arn = client.start_execution(stateMachineArn=machine, name=name, input=json.dumps(given))["executionArn"]
    ended: dict[str, Any] = until(
        lambda: client.describe_execution(executionArn=arn), lambda found: found["status"] != "RUNNING"
    )
    return ended


def given(event_type: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "hostId": event_type["hostId"],
        "eventTypeId": event_type["eventTypeId"],
        "recipient": GRACE,
        "waitSeconds": 1,
        **more,
    }


def noon(stack: Stack, days: int, minute: int = 0) -> str:
    day = stack.world.now() + timedelta(days=days)
    return rfc3339(day.replace(hour=12, minute=minute, second=0, microsecond=0))


def test_a_link_that_nobody_uses_is_revoked(stack: Stack, machines: str) -> None:
    event_type = event_type_of(stack)

    ended = run(stack, machines, given(event_type))

    assert ended["status"] == "SUCCEEDED", ended
    (link,) = links_of(stack, event_type["hostId"])
    assert json.loads(ended["output"]) == {"outcome": "not booked", "linkId": link["linkId"]}
    assert (link["status"], link["recipient"]["email"]) == ("revoked", GRACE["email"])


def test_a_given_time_is_booked(stack: Stack, machines: str) -> None:
    event_type = event_type_of(stack)
    book = {"start": noon(stack, 2), "timeZone": "UTC"}

    ended = run(stack, machines, given(event_type, book=book))

    assert ended["status"] == "SUCCEEDED", ended
    assert json.loads(ended["output"])["outcome"] == "booked"
    (link,) = links_of(stack, event_type["hostId"])
    assert link["status"] == "used"


def test_a_slot_that_is_not_offered_is_caught_by_its_error_name(stack: Stack, machines: str) -> None:
    """`SlotNotOffered`: the invitee can choose another slot; if nobody does, the link is revoked."""
    event_type = event_type_of(stack)
    book = {"start": noon(stack, 2, minute=7), "timeZone": "UTC"}

    ended = run(stack, machines, given(event_type, book=book))

    assert ended["status"] == "SUCCEEDED", ended
    assert json.loads(ended["output"])["outcome"] == "not booked"
    (link,) = links_of(stack, event_type["hostId"])
    assert link["status"] == "revoked"


def test_an_unknown_event_type_fails_the_execution_with_its_error_name(stack: Stack, machines: str) -> None:
    event_type = event_type_of(stack)
    other = event_type_of(stack)

    ended = run(stack, machines, given(event_type, eventTypeId=other["eventTypeId"]))

    assert (ended["status"], ended["error"]) == ("FAILED", "NotFound")
    problem = json.loads(json.loads(ended["cause"])["errorMessage"])
    assert problem["status"] == 404


def mails_to(stack: Stack, address: str) -> list[EmailMessage]:
    """Return the emails that SES accepted for an address."""
    mails = [
        message_from_bytes(path.read_bytes(), policy=policy.default) for path in stack.mails.glob("*.eml")
    ]
    return [mail for mail in mails if mail["to"].addresses[0].addr_spec == address]


def queued(stack: Stack) -> int:
    """Return the number of messages in the queues of commands and mails, including those in flight."""
    sqs = stack.client("sqs")
    queues = [stack.outputs["CommandQueueUrl"], stack.physical_id("MailQueue")]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for url in queues]
    return sum(int(count) for each in found for count in each.values())


def test_a_deal_won_sends_one_email_to_its_contact(stack: Stack) -> None:
    """The example's template is deployed unchanged; the CRM sends its event three times. The email's link books."""
    event_type = event_type_of(stack)
    cloudformation, events = stack.client("cloudformation"), stack.client("events")
    name = f"deals-{secrets.token_hex(4)}"
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=(EXAMPLES / "deal-won.json").read_text(),
        Parameters=[{"ParameterKey": "CommandQueueArn", "ParameterValue": stack.outputs["CommandQueueArn"]}],
    )
    until(
        lambda: cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"],
        lambda status: status == "CREATE_COMPLETE",
    )
    deal = f"d-{secrets.token_hex(4)}"
    contact = {"name": "Grace Hopper", "email": f"{deal}@invitees.example"}
    detail = {
        "dealId": deal,
        "contact": contact,
        "owner": {
            "admitOneHostId": event_type["hostId"],
            "admitOneEventTypeId": event_type["eventTypeId"],
        },
    }
    for _ in range(3):
        entry = {"Source": "crm.deals", "DetailType": "Deal Won", "Detail": json.dumps(detail)}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    until(lambda: mails_to(stack, contact["email"]))
    assert until(lambda: queued(stack), lambda count: count == 0) == 0
    (link,) = links_of(stack, event_type["hostId"], q=deal)
    assert link["recipient"] == {**contact, "enforce": "email"}
    with stack.http() as http:
        history = http.get(f"/v1/links/{link['linkId']}/history", params={"limit": "50"}).json()["history"]
    assert sorted(row["type"] for row in history if row["type"].startswith("mail.")) == [
        "mail.requested",
        "mail.sent",
    ]
    (asked,) = [row for row in history if row["type"] == "mail.requested"]
    assert (asked["actor"], asked["correlationId"]) == (f"command:deal-won-{deal}", f"deal-won-{deal}")
    (mail,) = mails_to(stack, contact["email"])
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert link["url"] in text
    assert "Please choose a time for our first talk." in text

    invitee = {"start": noon(stack, 3), "timeZone": "UTC", "invitee": contact}
    booked = httpx.post(link["url"] + "/redeem", json=invitee, headers=JSON, timeout=LIMIT, trust_env=False)
    assert booked.status_code == 201, booked.text
    assert links_of(stack, event_type["hostId"], q=deal)[0]["status"] == "used"
    token = link["url"].rpartition("/")[2]
    assert not [line for line in stack.logs() if token in line]
    cloudformation.delete_stack(StackName=name)
