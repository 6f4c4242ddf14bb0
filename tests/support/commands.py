"""Send commands to their consumer as the queue does, and read the bus and the dead-letter queue."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from chalicelib import bootstrap
from chalicelib.consumers.commands import consume
from tests.support.aws.bus import Bus, Inbox


def command(name: str, payload: Any, command_id: str = "c-1") -> str:
    """Return a bare command."""
    return json.dumps({"id": command_id, "command": name, "payload": payload})


def in_event(body: str, source: str = "crm.deals") -> str:
    """Return a command in an event, in the form in which an EventBridge rule delivers it to a queue."""
    return json.dumps(
        {
            "version": "0", "id": str(uuid.uuid4()), "detail-type": "admit-one.command", "source": source,
            "account": "000000000000", "time": "2026-11-21T09:00:00Z", "region": "us-east-1", "resources": [],
            "detail": json.loads(body),
        }
    )  # fmt: skip


def in_notification(body: str) -> str:
    """Return a message in a notification, in the form in which SNS delivers it to a queue."""
    return json.dumps(
        {
            "Type": "Notification", "MessageId": str(uuid.uuid4()), "TopicArn": "arn:aws:sns:us-east-1:0:t",
            "Message": body, "Timestamp": "2026-11-21T09:00:00Z", "SignatureVersion": "1",
            "Signature": "c2ln", "SigningCertURL": "https://sns.example/c", "UnsubscribeURL": "https://sns.example/u",
        }
    )  # fmt: skip


def records(*bodies: str) -> dict[str, Any]:
    """Return the event of Lambda's SQS mapping; the n-th message has the id `m-n`."""
    return {
        "Records": [
            {"messageId": f"m-{number}", "receiptHandle": "r", "body": body, "eventSource": "aws:sqs"}
            for number, body in enumerate(bodies)
        ]
    }


def deliver(*bodies: str, context: object = None) -> list[str]:
    """Pass messages to the function; return the ids of those to retry."""
    answer = consume(records(*bodies), context)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


class Channels(NamedTuple):
    """The bus and the dead-letter queue of the commands' consumer."""

    bus: Bus
    dead_letters: Inbox


class Deadline:
    """Lambda's context; its time is up after a number of reads."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def get_remaining_time_in_millis(self) -> int:
        """Return milliseconds left."""
        self.looks -= 1
        return 60_000 if self.looks >= 0 else 1_000


@contextmanager
def listening(endpoint_url: str, patch: pytest.MonkeyPatch) -> Iterator[Channels]:
    """Give the app a bus and a dead-letter queue for commands until the block ends."""
    bus, dead_letters = Bus(endpoint_url), Inbox(endpoint_url)
    given = {
        "EVENT_BUS_NAME": bus.name,
        "COMMAND_DLQ_URL": dead_letters.url,
        "AWS_ENDPOINT_URL_EVENTBRIDGE": endpoint_url,
        "AWS_ENDPOINT_URL_SQS": endpoint_url,
        "AWS_ENDPOINT_URL_S3": endpoint_url,
    }
    for name, value in given.items():
        patch.setenv(name, value)
    bootstrap.forget()
    try:
        yield Channels(bus, dead_letters)
    finally:
        for name in given:
            patch.delenv(name)
        bootstrap.forget()
        bus.remove()
        dead_letters.remove()
