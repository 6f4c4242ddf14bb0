"""Batches of messages: which are retried, and what is logged about them (P6, P7)."""

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from chalicelib.consumers.batch import Message, MessageWaitsError, RetryMessageError, handle_each
from chalicelib.consumers.time_left import OutOfTimeError
from chalicelib.domain.clock import to_millis
from chalicelib.domain.errors import Fault, ThrottledError
from chalicelib.logs import correlate, install
from tests.support.log_lines import logged
from tests.support.waiting import LIMIT

SECRET = "grace@invitees.example"
NOW: Final = datetime(2026, 6, 15, 9, tzinfo=UTC)


def clock() -> datetime:
    return NOW


def received(times: int, minutes: int) -> Message:
    """A message that was sent some minutes ago and is received for the given time."""
    sent = str(to_millis(NOW - timedelta(minutes=minutes)))
    attributes = {"ApproximateReceiveCount": str(times), "SentTimestamp": sent}
    return {"messageId": "m0", "body": "", "attributes": attributes}


def batch(*bodies: str) -> list[Message]:
    return [{"messageId": f"m{place}", "body": body} for place, body in enumerate(bodies)]


def retried(response: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


@pytest.mark.parametrize("concurrently", [False, True])
def test_a_failed_message_does_not_block_the_others(*, concurrently: bool) -> None:
    handled = []

    def handle(message: Message) -> None:
        if message["body"] == "bad":
            raise KeyError
        handled.append(message["body"])

    messages = batch("a", "bad", "b", "bad", "c")
    assert retried(handle_each(messages, handle, now=clock, concurrently=concurrently)) == ["m1", "m3"]
    assert sorted(handled) == ["a", "b", "c"]


def test_an_empty_batch_retries_nothing() -> None:
    assert retried(handle_each([], print, now=clock, concurrently=True)) == []


def test_concurrent_messages_are_handled_at_the_same_time() -> None:
    """A slow endpoint must not delay the deliveries to others."""
    everyone = threading.Barrier(3)
    messages = batch("a", "b", "c")
    assert retried(handle_each(messages, lambda _: everyone.wait(LIMIT), now=clock, concurrently=True)) == []


@pytest.mark.parametrize("error", [ThrottledError(SECRET), OutOfTimeError(SECRET)])
def test_a_temporary_error_is_logged_as_a_warning(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def handle(_: Message) -> None:
        raise error

    assert retried(handle_each(batch("a"), handle, now=clock)) == ["m0"]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == f"message m0 will be retried: {type(error).__name__}"


def test_a_handler_can_request_a_retry_with_a_reason(caplog: pytest.LogCaptureFixture) -> None:
    def handle(_: Message) -> None:
        raise RetryMessageError("too early", Fault("early"))

    assert retried(handle_each(batch("a"), handle, now=clock)) == ["m0"]
    assert [record.getMessage() for record in caplog.records] == ["message m0 will be retried: too early"]


def test_a_failure_is_logged_without_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """P7: an error's text may quote the message."""

    def failing(_: Message) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": SECRET}}, SECRET)

    assert retried(handle_each(batch(SECRET), failing, now=clock)) == ["m0"]
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage().startswith("message m0 failed: ClientError AccessDenied at ")
    assert "failing:" in record.getMessage()
    assert SECRET not in logged(caplog)


@pytest.mark.parametrize(
    ("times", "minutes", "error", "event"),
    [
        (3, 16, ThrottledError(), "message-stuck"),
        (3, 16, KeyError(SECRET), "message-stuck"),
        (30, 999, RetryMessageError("SES is slow", Fault("Throttling")), "message-stuck"),
        (30, 999, MessageWaitsError("until tomorrow"), "message-waits"),
        (2, 16, ThrottledError(), "message-retried"),
        (3, 15, ThrottledError(), "message-retried"),
        (3, 15, KeyError(SECRET), "message-failed"),
    ],
)  # fmt: skip
def test_a_message_that_fails_for_a_long_time_is_logged_as_stuck(
    caplog: pytest.LogCaptureFixture, times: int, minutes: int, error: Exception, event: str
) -> None:
    """P6: an alarm counts `message-stuck`. Most temporary failures end sooner, and a message that waits has none."""

    def handle(_: Message) -> None:
        raise error

    with caplog.at_level("INFO"):
        assert retried(handle_each([received(times, minutes)], handle, now=clock)) == ["m0"]
    (record,) = caplog.records
    line = vars(record)
    assert (line["event"], line["messageId"], line["receives"]) == (event, "m0", times)
    assert line["ageSeconds"] == minutes * 60
    assert SECRET not in repr(line)


@pytest.mark.parametrize("concurrently", [False, True])
def test_each_line_has_the_correlation_id_of_its_own_message(
    caplog: pytest.LogCaptureFixture, *, concurrently: bool
) -> None:
    """You find all lines of an event by its correlation id, also in the threads of a concurrent batch."""
    install()
    everyone = threading.Barrier(2 if concurrently else 1)

    def handle(message: Message) -> None:
        everyone.wait(LIMIT)
        if message["body"]:
            correlate(message["body"])
        raise ThrottledError(fault=Fault("ThrottlingException", "dynamodb", "Query", "REQUEST1"))

    handle_each(batch("event-a", ""), handle, now=clock, concurrently=concurrently)
    lines = {line["messageId"]: line for line in map(vars, caplog.records)}
    assert {number: line["correlationId"] for number, line in lines.items()} == {"m0": "event-a", "m1": "m1"}
    assert (lines["m0"]["fault"], lines["m0"]["awsRequestId"]) == ("ThrottlingException", "REQUEST1")
    correlate("ignored: no message is being handled")
    logging.getLogger(__name__).warning("afterwards")
    assert vars(caplog.records[-1])["correlationId"] is None
