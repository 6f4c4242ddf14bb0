"""The committed event schemas match the code, and the examples in docs/events.md match the schemas (P6)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from chalicelib.domain.events.events import DATA, EventKind
from chalicelib.domain.events.notices import NOTICES, Notice
from infra.generate.event_schemas import FOLDER, files
from tests.support.event_schemas import faults_of

GUIDE = Path(__file__).parents[3] / "docs" / "events.md"


def examples() -> dict[str, Any]:
    """Return the example under the heading of each event type."""
    found = re.findall(r"^### `([a-z.]+)`$(.*?)(?=^##|\Z)", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return {kind: json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0]) for kind, text in found}


def test_the_committed_schemas_are_current() -> None:
    """If this fails, run `make schemas`."""
    assert {path.name: path.read_text() for path in FOLDER.glob("*")} == files()


def test_every_event_type_has_data_and_a_valid_schema() -> None:
    """P6: no event is published without a schema."""
    assert (set(DATA), set(NOTICES)) == (set(EventKind), set(Notice))
    for text in files().values():
        Draft202012Validator.check_schema(json.loads(text))


@pytest.mark.parametrize("kind", [*EventKind, *Notice])
def test_every_event_type_has_a_valid_example(kind: EventKind | Notice) -> None:
    """Readers copy the examples in docs/events.md."""
    example = examples()[kind]
    assert example["type"] == kind
    assert faults_of(example) == []


def test_the_check_rejects_invalid_events() -> None:
    """The check finds an unknown field, a missing field and an invalid value."""
    good = examples()["link.used"]
    assert faults_of(good) == []
    for bad in (
        good | {"token": "x"},
        {name: value for name, value in good.items() if name != "sequence"},
        good | {"time": "yesterday"},
        good | {"bookingId": "bkg_x"},
        good | {"data": good["data"] | {"url": "https://…"}},
        good | {"data": {}},
        good | {"type": "link.eaten"},
    ):
        assert faults_of(bad) != []
