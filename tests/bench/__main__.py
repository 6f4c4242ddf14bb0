"""`make bench`: run the benchmarks and write one report. Usage: python -m tests.bench [NAME …]."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from infra.local.engines import ROOT, find_dynoxide
from tests.bench.afterwards import afterwards
from tests.bench.bulk import bulk
from tests.bench.cold import cold_start
from tests.bench.costs import costs
from tests.bench.lists import lists
from tests.bench.load import load
from tests.bench.pages import slots, weight
from tests.bench.prices import prices
from tests.bench.report import Section, write_report
from tests.bench.sizes import sizes
from tests.bench.warm import warm_redeem

_ALL: Final[dict[str, Callable[[], Section]]] = {
    "costs": costs,
    "afterwards": afterwards,
    "sizes": sizes,
    "prices": prices,
    "warm": warm_redeem,
    "cold": cold_start,
    "lists": lists,
    "bulk": bulk,
    "load": load,
    "slots": slots,
    "weight": weight,
}
_FOLDER: Final = ROOT / "build" / "bench"


def main() -> int:
    """Run what is named, or everything; return 1 where a budget is missed."""
    parser = argparse.ArgumentParser(
        prog="make bench", description="Measure, and write build/bench/report.md."
    )
    parser.add_argument("names", nargs="*", choices=[[], *_ALL], help="only these")
    names = parser.parse_args().names or list(_ALL)
    if find_dynoxide() is None:
        print("The benchmarks need dynoxide: run `make dynoxide` (Linux on x86-64).", file=sys.stderr)
        return 1
    sections = []
    for name in names:
        print(f"{name} …", flush=True)
        section = _ALL[name]()
        sections.append(section)
        for row in section.rows:
            verdict = "" if row.met is None else f"   [{row.budget}: {'met' if row.met else 'NOT MET'}]"
            print(f"  {row.what}: {row.value}{verdict}", flush=True)
    path: Path = write_report(sections, _FOLDER)
    missed = [row.what for section in sections for row in section.rows if row.met is False]
    print(
        f"\n{path.relative_to(ROOT)}: {len(missed)} budgets missed"
        + "".join(f"\n  {what}" for what in missed)
    )
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
