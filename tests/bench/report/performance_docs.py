"""`make performance-docs`: copy the report of `make bench` into docs/performance.md.

The page marks the place of each section with `<!-- bench NAME -->` and `<!-- end -->`. After `make bench ONLY=…`,
sections that are not in the report, and the table of budgets, stay unchanged.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from infra.paths import ROOT
from tests.bench.report.plots import Plot, svg
from tests.bench.report.sections import FOLDER, table_of

PAGE: Final = ROOT / "docs" / "performance.md"
PLACE: Final = re.compile(r"(<!-- bench (?P<name>[a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def updated_page(page: str, report: Mapping[str, Any], plots: str) -> str:
    """Return the page with the report's sections in their places; `plots` is the path of the plots' folder."""
    sections = {section["name"]: section for section in report["sections"]}
    if not sections.keys() >= {place["name"] for place in PLACE.finditer(page)}:
        sections.pop("budgets", None)

    def replace(placeholder: re.Match[str]) -> str:
        section = sections.get(placeholder["name"])
        if section is None:
            return placeholder[0]
        lines = [section["how"], "", *table_of(section["rows"]), ""]
        lines += [
            f"![{plot['title']}]({plots}/performance-{plot['name']}.svg)\n" for plot in section["plots"]
        ]
        return "".join(
            [placeholder[1], "\n".join([f"Measured {report['measured']}.", "", *lines]), placeholder[3]]
        )

    return PLACE.sub(replace, page)


def main(page: Path = PAGE, report: Path = FOLDER / "report.json") -> int:
    """Write the page and its plots; return 1 if there is no report."""
    if not report.exists():
        print("There is no report: run `make bench` first.", file=sys.stderr)
        return 1
    document = json.loads(report.read_text())
    images = page.parent / "images"
    for section in document["sections"]:
        for plot in section["plots"]:
            (images / f"performance-{plot['name']}.svg").write_text(svg(Plot(**plot)))
    page.write_text(updated_page(page.read_text(), document, images.name))
    print(f"{page.relative_to(ROOT)}: {', '.join(section['name'] for section in document['sections'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
