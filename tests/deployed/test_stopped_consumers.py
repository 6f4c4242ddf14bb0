"""A heartbeat invokes the deployed outbox, unless the event source mapping of the stream is disabled (P6)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.deployed.conftest import Stack
from tests.support.waiting import until

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
    before = _invocations(stack, "Commands")
    stack.client("sqs").send_message(QueueUrl=stack.physical_id("CommandQueue"), MessageBody="{")
    until(lambda: _invocations(stack, "Commands") > before)


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
