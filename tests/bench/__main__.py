"""`make bench`: run the benchmarks and write one report. Usage: python -m tests.bench [NAME …]."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from infra.local.engines.dynoxide import find_dynoxide
from infra.paths import ROOT
from tests.bench.anonymous import anonymous
from tests.bench.bulk import bulk
from tests.bench.cold_start import cold_start
from tests.bench.costs import costs
from tests.bench.downstream import downstream
from tests.bench.lists import lists
from tests.bench.load import load
from tests.bench.pages import slots, weight
from tests.bench.prices import prices
from tests.bench.report.sections import FOLDER, Section, write_report
from tests.bench.sizes import sizes
from tests.bench.tls_connections import tls_connections
from tests.bench.warm_redeem import warm_redeem

ALL: Final[dict[str, Callable[[], Section]]] = {
    "costs": costs,
    "downstream": downstream,
    "sizes": sizes,
    "prices": prices,
    "anonymous": anonymous,
    "warm": warm_redeem,
    "cold": cold_start,
    "tls": tls_connections,
    "lists": lists,
    "bulk": bulk,
    "load": load,
    "slots": slots,
    "weight": weight,
}


def main() -> int:
    """Run the named benchmarks, or all of them; return 1 if a budget is missed."""
    parser = argparse.ArgumentParser(
        prog="make bench", description="Run benchmarks and write build/bench/report.md."
    )
    parser.add_argument("names", nargs="*", choices=[[], *ALL], help="the benchmarks to run; all by default")
    names = parser.parse_args().names or list(ALL)
    if find_dynoxide() is None:
        print("The benchmarks need dynoxide: run `make dynoxide` (Linux on x86-64).", file=sys.stderr)
        return 1
    sections = []
    for name in names:
        print(f"{name} …", flush=True)
        began = time.monotonic()
        section = ALL[name]()
        section.name = name
        sections.append(section)
        for row in section.rows:
            verdict = "" if row.met is None else f"   [{row.budget}: {'met' if row.met else 'NOT MET'}]"
            print(f"  {row.what}: {row.value}{verdict}", flush=True)
        print(f"  in {time.monotonic() - began:.0f} s", flush=True)
    path: Path = write_report(sections, FOLDER)
    missed = [row.what for section in sections for row in section.rows if row.met is False]
    print(
        f"\n{path.relative_to(ROOT)}: {len(missed)} budgets missed"
        + "".join(f"\n  {what}" for what in missed)
    )
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
