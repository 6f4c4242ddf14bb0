"""An SQS queue: messages in, one or many, with what was refused."""

from collections.abc import Sequence
from typing import Any, Final

from chalicelib.clients.aws import Aws
from chalicelib.clients.chunking import chunks_of
from chalicelib.clients.failures import FAILURES, failure_of
from chalicelib.domain.errors import PayloadTooLargeError, QueueUnavailableError

MAX_BYTES: Final = 1024 * 1024  # SQS's limit of a message, and of all messages of one call
_MAX_MESSAGES: Final = 10  # SQS's limit of messages a call
_LONGEST_DELAY_SECONDS: Final = 900


class Queue:
    """Sends to one queue. A body is JSON text."""

    def __init__(self, aws: Aws, url: str) -> None:
        self._aws = aws
        self._url = url

    def send(self, body: str, *, delay_seconds: int = 0, tenant: str | None = None) -> None:
        """Put one message on the queue, to be seen after `delay_seconds` (0 to 900).

        Messages of one `tenant` do not hold up those of others, however many there are and however slow they are to
        be seen to: SQS gives out the others' first (its fair queues).

        Raises `QueueUnavailableError`, `PayloadTooLargeError` (over 1 MiB).
        """
        text = _safe(body)
        if _size(text) > MAX_BYTES:
            raise PayloadTooLargeError(f"A message takes {MAX_BYTES} bytes, this one has {_size(text)}.")
        delay = min(delay_seconds, _LONGEST_DELAY_SECONDS)
        try:
            self._client.send_message(
                QueueUrl=self._url, MessageBody=text, DelaySeconds=delay, **_group(tenant)
            )
        except FAILURES as error:
            raise QueueUnavailableError(f"The queue refused a message: {failure_of(error)}.") from error

    def send_many(self, bodies: Sequence[str], *, tenants: Sequence[str] = ()) -> dict[int, str]:
        """Put messages on the queue, ten a call; return what was refused: place in `bodies` → why.

        A message whose reply was lost counts as refused: sent again, it may be there twice. `tenants` has whose each
        message is, or is empty.
        """
        texts = [_safe(body) for body in bodies]
        sizes = [_size(text) for text in texts]
        refused = {
            place: f"TooLarge: {size} bytes, {MAX_BYTES} at most"
            for place, size in enumerate(sizes)
            if size > MAX_BYTES
        }
        good = [(place, size) for place, size in enumerate(sizes) if place not in refused]
        for places in chunks_of(good, most=_MAX_MESSAGES, max_bytes=MAX_BYTES):
            entries = [
                {"Id": str(place), "MessageBody": texts[place], **_group(tenants[place] if tenants else None)}
                for place in places
            ]
            try:
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            except FAILURES as error:
                refused |= dict.fromkeys(places, failure_of(error))
            else:
                refused |= {int(entry["Id"]): str(entry["Code"]) for entry in answer.get("Failed", ())}
        return refused

    def put_off(self, receipt: str, seconds: int) -> None:
        """Hide a message that was received for `seconds` more (0 to 43,200). Raises `QueueUnavailableError`."""
        try:
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds
            )
        except FAILURES as error:
            raise QueueUnavailableError(f"The queue put nothing off: {failure_of(error)}.") from error

    @property
    def _client(self) -> Any:
        return self._aws.client("sqs")


def _safe(body: str) -> str:
    """Return JSON text without the two characters of a JSON string that SQS does not take."""
    return body.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def _group(tenant: str | None) -> dict[str, str]:
    return {} if tenant is None else {"MessageGroupId": tenant}


def _size(text: str) -> int:
    return len(text.encode())
