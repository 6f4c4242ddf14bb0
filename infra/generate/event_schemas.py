"""`make schemas`: write a JSON Schema (2020-12) for every kind of event to docs/schemas/events, from the code."""

from typing import Final

import msgspec

from chalicelib.api.openapi.event_schemas import KINDS, schema_of
from infra.paths import ROOT

FOLDER: Final = ROOT / "docs" / "schemas" / "events"


def files() -> dict[str, str]:
    """Return the text of each file, by file name."""
    return {
        f"{kind.value}.json": msgspec.json.format(msgspec.json.encode(schema_of(kind)), indent=2).decode()
        + "\n"
        for kind in KINDS
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    texts = files()
    for old in FOLDER.glob("*.json"):
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text)
    print(f"Wrote {len(texts)} schemas")
