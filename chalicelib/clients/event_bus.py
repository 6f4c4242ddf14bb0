"""The product's own EventBridge bus: envelopes out, with what was refused."""

from collections.abc import Sequence
from typing import Any, Final

from chalicelib.clients.aws import Aws
from chalicelib.clients.chunking import chunks_of
from chalicelib.clients.failures import FAILURES, failure_of
from chalicelib.domain.events.envelopes import SOURCE, Envelope, write_envelope

MAX_BYTES: Final = 256 * 1024  # EventBridge's limit of all entries of one call, by its own way of counting
_MAX_ENTRIES: Final = 10  # EventBridge's limit of entries a call
_TIME_BYTES: Final = 14


class EventBus:
    """Puts events on one bus: source `admit-one`, detail type the event's type, detail the envelope."""

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws = aws
        self._name = name

    def put(self, envelopes: Sequence[Envelope]) -> dict[int, str]:
        """Put events on the bus, ten a call; return what was refused: place in `envelopes` → why.

        An event whose reply was lost counts as refused: put again, it comes twice with the same id.
        """
        details = [write_envelope(envelope) for envelope in envelopes]
        sizes = [
            _TIME_BYTES + len(SOURCE) + len(envelope.type) + len(detail.encode())
            for envelope, detail in zip(envelopes, details, strict=True)
        ]
        refused = {
            place: f"TooLarge: {size} bytes, {MAX_BYTES} at most"
            for place, size in enumerate(sizes)
            if size > MAX_BYTES
        }
        good = [(place, size) for place, size in enumerate(sizes) if place not in refused]
        for places in chunks_of(good, most=_MAX_ENTRIES, max_bytes=MAX_BYTES):
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
            refused |= self._put(places, entries)
        return refused

    def _put(self, places: Sequence[int], entries: list[dict[str, Any]]) -> dict[int, str]:
        try:
            answer = self._aws.client("events").put_events(Entries=entries)
        except FAILURES as error:
            return dict.fromkeys(places, failure_of(error))
        results = zip(places, answer["Entries"], strict=True)  # the answer keeps the order
        return {place: str(result["ErrorCode"]) for place, result in results if result.get("ErrorCode")}
