"""Write the parts of the table that `make model` and `make test` print."""

from collections.abc import Iterable, Sequence
from typing import Final

from infra.paths import ROOT

FOLDER: Final = ROOT / "build" / "model"


def write(name: str, title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write one part: a title and a Markdown table."""
    lines = [title, "", _row(head), _row(["---"] * len(head)), *map(_row, rows), ""]
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.md").write_text("\n".join([*lines, ""]))


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in cells)} |"
