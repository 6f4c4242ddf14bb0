"""Check every event that any test creates against its published schema (P6, P7)."""

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from chalicelib.api.openapi.event_schemas import KINDS
from chalicelib.domain.events.envelopes import envelope_of, write_envelope
from chalicelib.domain.events.events import Event
from infra.generate.event_schemas import FOLDER


@functools.cache
def validator(kind: str) -> Any:
    """Return a validator for the committed schema of a kind that also rejects unknown members."""
    schema = json.loads((FOLDER / f"{kind}.json").read_text())
    schema["additionalProperties"] = schema["properties"]["data"]["additionalProperties"] = False
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def faults_of(document: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with an envelope."""
    kind = document.get("type")
    if kind not in {known.value for known in KINDS}:
        return [f"no such kind of event: {kind}"]
    return [f"{kind}: {error.json_path}: {error.message}" for error in validator(kind).iter_errors(document)]


@pytest.fixture(scope="session")
def outbox_faults() -> Iterator[list[str]]:
    """The schema faults of all events that the outbox has created in this process; a reader empties the list."""
    from chalicelib.store import dynamo_store
    from chalicelib.store.events.outbox import events_of

    faults: list[str] = []

    def checked(record: Mapping[str, Any]) -> list[Event]:
        events = events_of(record)
        for event in events:
            faults.extend(faults_of(msgspec.json.decode(write_envelope(envelope_of(event)))))
        return events

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamo_store, "events_of", checked)
        yield faults


@pytest.fixture(autouse=True)
def every_event_fits_its_schema(outbox_faults: list[str]) -> Iterator[None]:
    """Fail a test that creates an event which its schema rejects."""
    yield
    found = [*outbox_faults]
    outbox_faults.clear()
    assert found == []
