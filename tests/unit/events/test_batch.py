"""Batches of messages: which are retried, and what is logged about them (P6, P7)."""

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.consumers.batch import Message, RetryMessageError, handle_each
from chalicelib.consumers.time_left import OutOfTimeError
from chalicelib.domain.errors import ThrottledError
from tests.support.waiting import LIMIT

SECRET = "grace@invitees.example"


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
    assert retried(handle_each(messages, handle, concurrently=concurrently)) == ["m1", "m3"]
    assert sorted(handled) == ["a", "b", "c"]


def test_an_empty_batch_retries_nothing() -> None:
    assert retried(handle_each([], print, concurrently=True)) == []


def test_concurrent_messages_are_handled_at_the_same_time() -> None:
    """A slow endpoint must not delay the deliveries to others."""
    everyone = threading.Barrier(3)
    messages = batch("a", "b", "c")
    assert retried(handle_each(messages, lambda _: everyone.wait(LIMIT), concurrently=True)) == []


@pytest.mark.parametrize("error", [ThrottledError(SECRET), OutOfTimeError(SECRET)])
def test_a_temporary_error_is_logged_as_a_warning(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def handle(_: Message) -> None:
        raise error

    assert retried(handle_each(batch("a"), handle)) == ["m0"]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == f"message m0 will be retried: {type(error).__name__}"


def test_a_handler_can_request_a_retry_with_a_reason(caplog: pytest.LogCaptureFixture) -> None:
    def handle(_: Message) -> None:
        raise RetryMessageError("too early")

    assert retried(handle_each(batch("a"), handle)) == ["m0"]
    assert [record.getMessage() for record in caplog.records] == ["message m0 will be retried: too early"]


def test_a_failure_is_logged_without_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """P7: an error's text may quote the message."""

    def failing(_: Message) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": SECRET}}, SECRET)

    assert retried(handle_each(batch(SECRET), failing)) == ["m0"]
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage().startswith("message m0 failed: ClientError AccessDenied at ")
    assert "failing:" in record.getMessage()
    assert SECRET not in caplog.text
