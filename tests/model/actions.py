"""Read the names of the model's actions from its specification."""

import re

from tests.model.tlc import MODEL


def actions() -> list[str]:
    """Return the names of the actions that make up `Next`, in their order."""
    text = (MODEL / "AdmitOne.tla").read_text()
    steps = re.findall(r"^(\w+Step\(w\)|Next) ==\n((?:    .+\n)+)", text, re.MULTILINE)
    named = [name for _, body in steps for name in re.findall(r"\b[A-Z]\w+", body)]
    return [name for name in named if not name.endswith("Step") and name != "Workers"]
