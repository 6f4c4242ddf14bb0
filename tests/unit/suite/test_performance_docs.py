"""The numbers in docs/performance.md are written from measurements."""

import re

import pytest

from tests.bench.__main__ import ALL
from tests.bench.report.performance_docs import PAGE, PLACE, updated_page
from tests.bench.report.plots import Plot, svg

pytestmark = pytest.mark.undated("it mentions benchmarks, and only those read a clock")

# Their figures are in docs/operate.md, docs/security.md and docs/scale.md, which have their own tests.
ELSEWHERE = {"costs", "downstream", "sizes", "prices", "anonymous"}
ROW = {"what": "a thing", "value": "1.00", "budget": "≤ 2", "met": True, "raw": None}
SECTION = {"name": "warm", "title": "Warm", "how": "By turns.", "rows": [ROW], "plots": []}
REPORT = {"measured": "today", "sections": [SECTION]}


def test_every_benchmark_has_a_place_in_the_document() -> None:
    places = [place["name"] for place in PLACE.finditer(PAGE.read_text())]

    assert sorted(places) == sorted({"budgets", *ALL} - ELSEWHERE)


def test_commands_in_the_document_name_existing_benchmarks() -> None:
    named = re.findall(r'ONLY="?([a-z ]+)', PAGE.read_text())

    assert named
    assert {name for names in named for name in names.split()} <= set(ALL)


def test_a_report_changes_only_its_own_places() -> None:
    page = "a\n<!-- bench warm -->\nbefore\n<!-- end -->\nb\n<!-- bench cold -->\nkept\n<!-- end -->\n"

    once = updated_page(page, REPORT, "images")

    assert "before" not in once
    assert "| a thing | 1.00 | ≤ 2 | yes |" in once
    assert once.endswith("b\n<!-- bench cold -->\nkept\n<!-- end -->\n")
    assert updated_page(once, REPORT, "images") == once


def test_the_budgets_are_written_only_after_a_complete_run() -> None:
    page = "<!-- bench budgets -->\nkept\n<!-- end -->\n<!-- bench warm -->\n<!-- end -->\n"
    whole = {"measured": "today", "sections": [SECTION | {"name": "budgets"}, SECTION]}
    part = {"measured": "today", "sections": [SECTION | {"name": "budgets"}]}

    assert "kept" not in updated_page(page, whole, "images")
    assert updated_page(page, part, "images") == page


def test_a_plot_stays_within_its_frame() -> None:
    drawn = svg(Plot("p", "<P>", "across", "up", {"one & two": [(1, 0.5), (10, 7.2), (100, 70)]}))

    [points] = re.findall(r'<polyline points="([^"]+)"', drawn)
    places = [tuple(float(value) for value in point.split(",")) for point in points.split()]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)
    assert all(0 < x < 640 and 0 < y < 320 for x, y in places)
    assert "&lt;P&gt;" in drawn
    assert "one &amp; two" in drawn
