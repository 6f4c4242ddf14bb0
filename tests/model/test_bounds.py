"""P1-P4, P8 hold in every state of the model within its bounds, and every action of the model is taken."""

import re

import pytest

from tests.model import report, tlc
from tests.model.actions import actions
from tests.support.proof.size import size

pytestmark = tlc.needed


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("bounds", size(["Small"], ["Small", "Large", "Wide"]))
def test_every_state_keeps_the_promises(bounds: str) -> None:
    """The page has the current numbers. Measuring coverage takes long, so it is done only in the small bounds."""
    measured = bounds == "Small"

    found = tlc.run("Bounds", tlc.MODEL / f"{bounds}.cfg", coverage=measured)

    promises = re.findall(r"INVARIANTS (.+)", (tlc.MODEL / f"{bounds}.cfg").read_text())[0]
    report.write(
        f"1-{bounds.lower()}",
        f"{bounds}.cfg: every state keeps {', '.join(promises.split())}",
        ("states generated", "distinct states", "depth"),
        [(found.generated, found.distinct, found.depth)],
    )
    assert found.violated is None, f"{found.violated} does not hold after {', '.join(found.path)}"
    row = re.escape(f"| {found.distinct:,} | {found.depth} |")
    page = (tlc.MODEL / "README.md").read_text()
    assert re.search(rf"(?m)^\| \[{bounds}\.cfg\].*{row}", page), f"docs/model/README.md: it is now {row}"
    if measured:
        taken = {name: found.taken[name] for name in actions()}
        report.write("2-actions", "How often each action was taken", ("action", "times"), taken.items())
        assert [name for name, times in taken.items() if not times] == [], "these actions were never taken"
