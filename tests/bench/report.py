"""The report: what was measured, against which budget, as Markdown and JSON."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Row:
    """One figure. `met` is None where there is no budget (DESIGN's, in the product's brief) to hold it to."""

    what: str
    value: str
    budget: str = ""
    met: bool | None = None
    raw: Any = None


@dataclass
class Section:
    """Figures that belong together, and how they were got."""

    title: str
    how: str
    rows: list[Row] = field(default_factory=list)
    plots: list[str] = field(default_factory=list)

    def add(
        self, what: str, value: str, *, budget: str = "", met: bool | None = None, raw: Any = None
    ) -> None:
        """Add a figure."""
        self.rows.append(Row(what, value, budget, met, raw))


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return a median with the quarter below and above it."""
    low, middle, high = quartiles(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the three quartiles; of one value, that value three times."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4)
    return low, middle, high


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def write_report(sections: Sequence[Section], folder: Path) -> Path:
    """Write `report.md` and `report.json`; return the first one's path."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"machine": _machine(), "sections": [asdict(section) for section in sections]}
    (folder / "report.json").write_text(json.dumps(document, indent=1) + "\n")
    lines = ["# Benchmarks", "", _machine(), ""]
    for section in sections:
        lines += [
            f"## {section.title}",
            "",
            section.how,
            "",
            "| what | measured | budget | met |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {row.what} | {row.value} | {row.budget} | {_verdict(row.met)} |" for row in section.rows
        ]
        lines += ["", *(f"![{section.title}]({plot})\n" for plot in section.plots)]
    path = folder / "report.md"
    path.write_text("\n".join(lines))
    return path


def _verdict(met: bool | None) -> str:
    return "" if met is None else "yes" if met else "**no**"


def _machine() -> str:
    return (
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores; "
        "client and engine share the machine."
    )
