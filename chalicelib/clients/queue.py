"""An SQS queue: send one message or many, and return the rejected ones."""

from collections.abc import Sequence
from typing import Any, Final

from chalicelib.clients.aws import Aws
from chalicelib.clients.chunking import chunks_of
from chalicelib.clients.failures import FAILURES, failure_of, fault_of
from chalicelib.domain.errors import PayloadTooLargeError, QueueUnavailableError

MAX_BYTES: Final = 1024 * 1024  # SQS's limit for a message, and for all messages of a call
_MAX_MESSAGES: Final = 10  # SQS's limit for messages in a call
_MAX_DELAY_SECONDS: Final = 900


class Queue:
    """Sends messages to one queue. A message's body is JSON."""

    def __init__(self, aws: Aws, url: str) -> None:
        self._aws = aws
        self._url = url

    def send(self, body: str, *, delay_seconds: int = 0, tenant: str | None = None) -> None:
        """Send one message, which consumers receive after `delay_seconds` (0 to 900).

        If one `tenant` has many or slow messages, SQS delivers the messages of other tenants first (fair queues).

        Raises `QueueUnavailableError`, `PayloadTooLargeError` (over 1 MiB).
        """
        text = _safe(body)
        if _size(text) > MAX_BYTES:
            raise PayloadTooLargeError(
                f"A message can have up to {MAX_BYTES} bytes; this one has {_size(text)}."
            )
        delay = min(delay_seconds, _MAX_DELAY_SECONDS)
        try:
            self._call("send_message", MessageBody=text, DelaySeconds=delay, **_group(tenant))
        except FAILURES as error:
            raise QueueUnavailableError(
                f"SQS did not accept the message: {failure_of(error)}.",
                fault=fault_of(error, "sqs", "SendMessage"),
            ) from error

    def send_many(self, bodies: Sequence[str], *, tenants: Sequence[str] = ()) -> dict[int, str]:
        """Send messages, ten per call. Return the rejected ones: place in `bodies` → error code.

        If a response is lost, its messages count as rejected, so a retry may send a message twice. `tenants` has the
        tenant of each message, or is empty.
        """
        texts = [_safe(body) for body in bodies]
        sizes = [_size(text) for text in texts]
        rejected = {
            place: f"TooLarge: {size} bytes, {MAX_BYTES} at most"
            for place, size in enumerate(sizes)
            if size > MAX_BYTES
        }
        accepted = [(place, size) for place, size in enumerate(sizes) if place not in rejected]
        for places in chunks_of(accepted, most=_MAX_MESSAGES, max_bytes=MAX_BYTES):
            entries = [
                {"Id": str(place), "MessageBody": texts[place], **_group(tenants[place] if tenants else None)}
                for place in places
            ]
            try:
                answer = self._call("send_message_batch", Entries=entries)
            except FAILURES as error:
                rejected |= dict.fromkeys(places, failure_of(error))
            else:
                rejected |= {int(entry["Id"]): str(entry["Code"]) for entry in answer.get("Failed", ())}
        return rejected

    def delay(self, receipt: str, seconds: int) -> None:
        """Hide a received message for another `seconds` (0 to 43,200). Raises `QueueUnavailableError`."""
        try:
            self._call("change_message_visibility", ReceiptHandle=receipt, VisibilityTimeout=seconds)
        except FAILURES as error:
            raise QueueUnavailableError(
                f"SQS did not delay the message: {failure_of(error)}.",
                fault=fault_of(error, "sqs", "ChangeMessageVisibility"),
            ) from error

    def _call(self, operation: str, **request: Any) -> Any:
        # Safe to repeat: every consumer is idempotent, so a message may be sent twice.
        return self._aws.call("sqs", operation, QueueUrl=self._url, **request)


def _safe(body: str) -> str:
    """Return JSON with U+FFFE and U+FFFF escaped: JSON allows them in a string, but SQS rejects them."""
    return body.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def _group(tenant: str | None) -> dict[str, str]:
    return {} if tenant is None else {"MessageGroupId": tenant}


def _size(text: str) -> int:
    return len(text.encode())
