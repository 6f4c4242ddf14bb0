"""The product's EventBridge bus: publish events, and return the rejected ones."""

from collections.abc import Sequence
from typing import Any, Final

from chalicelib.clients.aws import Aws
from chalicelib.clients.chunking import chunks_of
from chalicelib.clients.failures import FAILURES, failure_of
from chalicelib.domain.events.envelopes import SOURCE, Envelope, write_envelope

MAX_BYTES: Final = 256 * 1024  # EventBridge's limit for all entries of a call; `put` computes an entry's size
_MAX_ENTRIES: Final = 10  # EventBridge's limit for entries in a call
_TIME_BYTES: Final = 14  # EventBridge counts an entry's `Time` as 14 bytes


class EventBus:
    """Publishes events to one bus.

    An entry's `source` is `admit-one`, its `detail-type` is the event's type, and its `detail` is the envelope.
    """

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws = aws
        self._name = name

    def put(self, envelopes: Sequence[Envelope]) -> dict[int, str]:
        """Publish events, ten per call. Return the rejected ones: place in `envelopes` → error code.

        If a response is lost, its events count as rejected, so a retry may publish an event twice, with the same id.
        """
        details = [write_envelope(envelope) for envelope in envelopes]
        sizes = [
            _TIME_BYTES + len(SOURCE) + len(envelope.type) + len(detail.encode())
            for envelope, detail in zip(envelopes, details, strict=True)
        ]
        rejected = {
            place: f"TooLarge: {size} bytes, {MAX_BYTES} at most"
            for place, size in enumerate(sizes)
            if size > MAX_BYTES
        }
        accepted = [(place, size) for place, size in enumerate(sizes) if place not in rejected]
        for places in chunks_of(accepted, most=_MAX_ENTRIES, max_bytes=MAX_BYTES):
            entries = [
                {
                    "Source": SOURCE,
                    "DetailType": envelopes[place].type,
                    "Detail": details[place],
                    "EventBusName": self._name,
                    "Time": envelopes[place].time,
                }
                for place in places
            ]
            rejected |= self._put(places, entries)
        return rejected

    def _put(self, places: Sequence[int], entries: list[dict[str, Any]]) -> dict[int, str]:
        try:
            answer = self._aws.call("events", "put_events", Entries=entries)
        except FAILURES as error:
            return dict.fromkeys(places, failure_of(error))
        results = zip(places, answer["Entries"], strict=True)  # the response keeps the order
        return {place: str(result["ErrorCode"]) for place, result in results if result.get("ErrorCode")}
