"""The report as Markdown and JSON: each figure, its budget, and whether it is met."""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from infra.paths import ROOT
from tests.bench.report.plots import Plot, svg

FOLDER: Final = ROOT / "build" / "bench"


@dataclass
class Row:
    """One figure. `met` is None if it has no budget."""

    what: str
    value: str
    budget: str = ""
    met: bool | None = None
    raw: Any = None


@dataclass
class Section:
    """Figures that belong together, and how they were measured. `name` is the name for `make bench ONLY=…`."""

    title: str
    how: str
    rows: list[Row] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    name: str = ""

    def add(
        self, what: str, value: str, *, budget: str = "", met: bool | None = None, raw: Any = None
    ) -> None:
        """Add a figure."""
        self.rows.append(Row(what, value, budget, met, raw))


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median, with the lower and the upper quartile in brackets."""
    low, middle, high = quartiles(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the three quartiles; for a single value, that value three times."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4)
    return low, middle, high


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the values is."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def write_report(sections: Sequence[Section], folder: Path) -> Path:
    """Write `report.md`, `report.json` and the plots; return the path of `report.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = [_budgets(sections), *sections]
    measured = f"{datetime.now(UTC):%Y-%m-%d} with {_machine()}"
    document = {"measured": measured, "sections": [asdict(section) for section in sections]}
    (folder / "report.json").write_text(json.dumps(document, indent=1) + "\n")
    lines = ["# Benchmarks", "", f"Measured {measured}.", ""]
    for section, reported in zip(sections, document["sections"], strict=True):
        assert isinstance(reported, dict)
        lines += [f"## {section.title}", "", section.how, "", *table_of(reported["rows"]), ""]
        for plot in section.plots:
            (folder / f"{plot.name}.svg").write_text(svg(plot))
            lines.append(f"![{plot.title}]({plot.name}.svg)\n")
    path = folder / "report.md"
    path.write_text("\n".join(lines))
    return path


def _budgets(sections: Sequence[Section]) -> Section:
    """Return each budget with its figure; if several rows share a budget, with the number of rows that meet it."""
    summary = Section(
        "Budgets",
        "Times are compared by their median; counts must meet the budget in every row.",
        name="budgets",
    )
    for section in sections:
        held: dict[str, list[Row]] = {}
        for row in section.rows:
            if row.met is not None:
                held.setdefault(row.budget, []).append(row)
        for budget, rows in held.items():
            missed = [row.what for row in rows if not row.met]
            if len(rows) == 1:
                what, value = rows[0].what, rows[0].value
            else:
                what, value = (
                    f"{rows[0].what}, and {len(rows) - 1} more",
                    f"{len(rows) - len(missed)} of {len(rows)}",
                )
                value += f"; not: {', '.join(missed)}" if missed else ""
            summary.add(f"{section.title}: {what}", value, budget=budget, met=not missed)
    return summary


def table_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the rows of the report's JSON as the lines of a Markdown table."""
    return [
        "| what | measured | budget | met |",
        "|---|---|---|---|",
        *(f"| {row['what']} | {row['value']} | {row['budget']} | {_verdict(row['met'])} |" for row in rows),
    ]


def _verdict(met: bool | None) -> str:
    return "" if met is None else "yes" if met else "**no**"


def _machine() -> str:
    return (
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores that "
        "client and engine share"
    )
