"""A restore without the command: a backup, the archive's events, a table written from the backup, and the function."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import pytest

from chalicelib import bootstrap
from chalicelib.consumers.restore import apply_events
from chalicelib.domain.events.envelopes import envelope_of, write_envelope
from chalicelib.domain.restore_steps import ListStep, RevokeStep, Step
from tests.support.app import Site
from tests.support.aws.bus import Stream
from tests.support.aws.dynamodb_client import plain_client
from tests.support.aws.engines import Table, new_table

MAX_STEPS: Final = 100

Item = dict[str, Any]


class Archive:
    """Stands in for the bus's archive."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._stream = Stream(site, "TRIM_HORIZON")

    def events(self) -> list[str]:
        """Return the events since the last call, as EventBridge puts them on a queue."""
        messages = []
        for record in self._stream.records():
            for event in self._site.world.store.events_of(record):
                detail = json.loads(write_envelope(envelope_of(event)))
                messages.append(
                    json.dumps({"source": "admit-one", "detail-type": event.type, "detail": detail})
                )
        return messages


def restore(site: Site, backup: Sequence[Item]) -> Table:
    """Write the backup to a new table and return it."""
    table = new_table(site.table.endpoint_url)
    client = plain_client(table.endpoint_url)
    for item in backup:
        client.put_item(TableName=table.name, Item=item)
    return table


@contextmanager
def running_on(site: Site, table: Table) -> Iterator[None]:
    """Switch the app and the site to another table within the block."""
    before = site.table
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TABLE_NAME", table.name)
            site.table = table
            bootstrap.forget()
            yield
    finally:
        site.table = before
        bootstrap.forget()


@contextmanager
def closed(what: str) -> Iterator[None]:
    """Close bookings (`yes`) or all changes (`all`) within the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOKINGS_CLOSED", what)
        bootstrap.forget()
        try:
            yield
        finally:
            patch.undo()
            bootstrap.forget()


def replay_all(messages: Sequence[str], rounds: int = 30) -> None:
    """Close all changes, and deliver messages until the function has handled all, as a queue does."""
    with closed("all"):
        _deliver(dict(enumerate(messages)), rounds)


def _deliver(left: dict[int, str], rounds: int) -> None:
    """Deliver messages by their ids, and redeliver those that fail."""
    for _ in range(rounds):
        numbers = list(left)
        for at_ in range(0, len(numbers), 10):
            batch = [{"messageId": str(n), "body": left[n]} for n in numbers[at_ : at_ + 10]]
            failed = {
                int(f["itemIdentifier"]) for f in apply_events({"Records": batch}, None)["batchItemFailures"]
            }
            for number in numbers[at_ : at_ + 10]:
                if number not in failed:
                    del left[number]
        if not left:
            return
    raise AssertionError(f"never handled: {[left[n][:300] for n in left]}")


def take(step: Step, context: object = None) -> dict[str, Any]:
    """Send one step to the function and return its reply."""
    reply: dict[str, Any] = apply_events(msgspec.to_builtins(step), context)
    return reply


def finish(table: Table, *, everything: bool = False, context: object = None) -> dict[str, str]:
    """Finish a restore as `make restore` does; return the reason of each revoked link."""
    cursor = None
    for _ in range(MAX_STEPS):
        cursor = take(RevokeStep(run=table.name, everything=everything, cursor=cursor), context)["cursor"]
        if cursor is None:
            break
    assert cursor is None, "the steps do not end"
    found: list[dict[str, Any]] = []
    for _ in range(MAX_STEPS):
        reply = take(ListStep(run=table.name, cursor=cursor), context)
        found, cursor = found + reply["revoked"], reply["cursor"]
        if cursor is None:
            break
    assert cursor is None, "the steps do not end"
    return {link["linkId"]: link["reason"] for link in found}
