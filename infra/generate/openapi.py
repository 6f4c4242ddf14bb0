"""`make openapi`: write the API description to docs/openapi.json, which is committed."""

from typing import Final

import msgspec

from chalicelib.api.openapi.document import openapi
from chalicelib.api.routes import ROUTERS
from infra.paths import ROOT

COPY: Final = ROOT / "docs" / "openapi.json"


def text() -> str:
    """Return the description as committed text: indented, in a stable order."""
    return msgspec.json.format(msgspec.json.encode(openapi(ROUTERS)), indent=2).decode() + "\n"


if __name__ == "__main__":
    COPY.write_text(text())
    print(f"Wrote {COPY.name}")
