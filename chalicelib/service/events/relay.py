"""Turn stream records into history entries, then publish their events (P6).

A record that fails does not block the others: the whole record goes to the dead-letter queue, with the reason.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.errors import AdmitOneError
from chalicelib.domain.events.envelopes import Envelope, envelope_of
from chalicelib.logs import cause_fields, correlated, fields, name_of, where
from chalicelib.service.contention import pause_before
from chalicelib.service.events.publish import publish
from chalicelib.service.events.record_history import record_history
from chalicelib.service.ports import World

# Parts of the function's timeout of two minutes; a call that hangs may take some seconds longer.
HISTORY_TIME: Final = timedelta(seconds=30)
BUS_TIME: Final = timedelta(seconds=60)
DLQ_TRIES: Final = 4

log = logging.getLogger(__name__)

Record = Mapping[str, Any]


class Relayed(msgspec.Struct, frozen=True):
    """The result of a batch: the records that failed (index → reason), and the first for which no time was left."""

    failed: dict[int, str]
    untried: int | None


def relay(world: World, records: Sequence[Record]) -> Relayed:
    """Record and publish the events of each record. A repeated record adds no entry and has the same event ids.

    The history is written first, so that a published event can be looked up.
    """
    started = world.now()
    failed: dict[int, str] = {}
    untried: int | None = None
    envelopes: list[Envelope] = []
    owners: list[int] = []  # the index of each envelope's record
    for place, record in enumerate(records):
        if world.now() > started + HISTORY_TIME:
            untried = place
            break
        try:
            events = record_history(world, record)
        except Exception as error:  # noqa: BLE001 - one record must not stop the others
            number = _number(record)
            about = fields("record-failed", record=number, **cause_fields(error))
            # P7: no error text, which may quote the record.
            log.error("stream record %s failed: %s at %s", number, name_of(error), where(error), extra=about)  # noqa: TRY400
            failed[place] = _reason(error)
        else:
            envelopes += [envelope_of(event) for event in events]
            owners += [place] * len(events)
    for index, why in publish(world, envelopes, give_up=started + BUS_TIME).items():
        failed[owners[index]] = f"bus: {why}"
        event = envelopes[index]
        with correlated(event.correlation_id):
            log.error(
                "event %s rejected by the bus, its record will be dead-lettered: %s",
                event.id,
                why,
                extra=fields("event-rejected", eventId=event.id, fault=why),
            )
    return Relayed(failed, untried)


def dead_letter(world: World, records: Sequence[Record], failed: Mapping[int, str]) -> list[int]:
    """Send failed records to the dead-letter queue; return the indexes of those that it rejected, in order."""
    if world.outbox_dlq is None:
        return sorted(failed)
    waiting = sorted(failed)
    letters = {place: _letter(world, records[place], failed[place]) for place in waiting}
    for attempt in range(DLQ_TRIES):
        if not waiting:
            break
        if attempt:
            world.sleep(pause_before(world, attempt))
        refused = world.outbox_dlq.send_many([letters[place] for place in waiting])
        for index, why in refused.items():
            place = waiting[index]
            number = _number(records[place])
            rejected = fields("dead-letter-rejected", record=number, fault=why)
            log.error("record %s rejected by the dead-letter queue: %s", number, why, extra=rejected)
            if why.startswith("TooLarge"):
                letters[place] = _short_letter(world, records[place], f"{failed[place]}; {why}")
        waiting = [waiting[index] for index in sorted(refused)]
    return waiting


def record_of(letter: str) -> Record:
    """Return the record in a dead letter. Raises ValueError if it contains none."""
    return msgspec.json.decode(letter, type=_Letter).record


class _Letter(msgspec.Struct, rename="camel"):
    reason: str
    failed_at: str
    record: dict[str, Any]


def _letter(world: World, record: Record, reason: str) -> str:
    letter = _Letter(reason, rfc3339(world.now()), dict(record))
    return msgspec.json.encode(letter, enc_hook=str).decode()


def _short_letter(world: World, record: Record, reason: str) -> str:
    """Return a dead letter without the images of a record that is too large. The stream keeps them for 24 hours."""
    images = record.get("dynamodb") or {}
    place = {name: images[name] for name in ("Keys", "SequenceNumber", "SizeBytes") if name in images}
    kept = {name: record[name] for name in ("eventID", "eventName", "eventSourceARN") if name in record}
    cut = f"{reason}; images left out, read them from the stream"
    return _letter(world, {**kept, "dynamodb": place}, cut)


def _reason(error: Exception) -> str:
    """Return the reason without quoting the record, which may contain anything."""
    return (
        f"{type(error).__name__}: {error.code}" if isinstance(error, AdmitOneError) else type(error).__name__
    )


def _number(record: Record) -> str:
    try:
        return str(record["dynamodb"]["SequenceNumber"])
    except (KeyError, TypeError):
        return "without a number"
