"""If an event source mapping of the deployed stack is disabled, nothing is read until it is enabled again (P6).

`tests/infra/package/test_standing_still.py` shows that an alarm goes off meanwhile.
"""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.deployed.conftest import Stack
from tests.support.aws.stage_metrics import sources
from tests.support.proof.size import size
from tests.support.waiting import until

# The queue of each mapping. `make test` stops one of them, `make proof` one after another.
QUEUES: Final = {
    "CommandMapping": "CommandQueue", "ImportMapping": "ImportQueue", "MailFeedbackMapping": "MailFeedbackQueue",
    "MailMapping": "MailQueue", "OutboxRetry": "OutboxRetryQueue", "RestoreMapping": "RestoreQueue",
    "WebhookDeliverMapping": "WebhookQueue", "WebhookFanoutMapping": "WebhookEventQueue",
}  # fmt: skip
STOPPED: Final = size(["MailMapping"], sorted(QUEUES))

SCHEDULED: dict[str, Any] = {
    "version": "0", "id": "heartbeat", "account": "1", "region": "us-east-1", "source": "aws.events",
    "time": "2026-11-21T00:00:00Z", "detail-type": "Scheduled Event", "resources": [], "detail": {},
}  # fmt: skip


def _invocations(stack: Stack, function: str) -> int:
    """Return how often a function was invoked, by the lines in its log."""
    group = stack.physical_id(f"{function}LogGroup")
    pages = stack.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return sum(event["message"].startswith("START RequestId") for page in pages for event in page["events"])


def _enable(stack: Stack, mapping: str, enabled: bool) -> None:
    stack.client("lambda").update_event_source_mapping(UUID=stack.physical_id(mapping), Enabled=enabled)


def _reject_command(stack: Stack) -> None:
    """Send a malformed command and wait until it was read, so that all mappings have been polled."""
    _read(stack, "CommandQueue", "Commands")


def _read(stack: Stack, queue: str, function: str) -> None:
    before = _invocations(stack, function)
    stack.client("sqs").send_message(QueueUrl=stack.physical_id(queue), MessageBody="{")
    until(lambda: _invocations(stack, function) > before)


def _waiting(stack: Stack, queue: str) -> int:
    """Return how many messages of a queue nobody has received, or whose retry is due."""
    found = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.physical_id(queue), AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


@pytest.fixture
def stopped_outbox(stack: Stack) -> Iterator[Stack]:
    """The stack with a disabled stream mapping."""
    _enable(stack, "OutboxStream", False)
    yield stack
    _enable(stack, "OutboxStream", True)


def test_a_heartbeat_reaches_the_outbox_unless_its_mapping_is_disabled(stopped_outbox: Stack) -> None:
    """So `OutboxBehindAlarm` has data on an idle stage, and none if the stream is not read."""
    stack = stopped_outbox
    key = {"pk": {"S": "HEARTBEAT"}, "sk": {"S": "HEARTBEAT"}}
    stack.invoke("Expiry", SCHEDULED)
    item = stack.client("dynamodb").get_item(TableName=stack.physical_id("Table"), Key=key)["Item"]
    assert item["actor"] == {"S": "system:heartbeat"}
    _reject_command(stack)  # meanwhile, an invocation that had already begun ends
    before = _invocations(stack, "Outbox")
    stack.invoke("Expiry", SCHEDULED)
    _reject_command(stack)
    assert _invocations(stack, "Outbox") == before
    _enable(stack, "OutboxStream", True)
    until(lambda: _invocations(stack, "Outbox") > before)


@pytest.mark.parametrize("mapping", STOPPED)
def test_a_message_waits_while_its_mapping_is_disabled_and_is_read_afterwards(
    stack: Stack, mapping: str
) -> None:
    """So the age of the queue's oldest message grows, on which its alarm depends."""
    queue = QUEUES[mapping]
    other = (
        ("MailFeedbackQueue", "MailFeedback") if mapping == "CommandMapping" else ("CommandQueue", "Commands")
    )
    _enable(stack, mapping, False)
    try:
        stack.client("sqs").send_message(QueueUrl=stack.physical_id(queue), MessageBody="{")
        _read(stack, *other)
        assert _waiting(stack, queue) >= 1
    finally:
        _enable(stack, mapping, True)
    until(lambda: _waiting(stack, queue) == 0)
    for used in {queue, other[0]}:
        stack.client("sqs").purge_queue(QueueUrl=stack.physical_id(used))


def test_every_queue_that_a_function_reads_can_be_stopped(stack: Stack) -> None:
    assert sources(stack.package.read_template()["Resources"]) == QUEUES
