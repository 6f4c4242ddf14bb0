"""P1-P4, P8 hold in every state of the model within bounds, and every action is possible there."""

import re

import pytest

from tests.model import report, tlc
from tests.model.actions import actions
from tests.support.proof.size import size

pytestmark = tlc.needed


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("bounds", size(["Small"], ["Small", "Large", "Wide", "Pair"]))
def test_every_state_keeps_the_promises(bounds: str) -> None:
    """docs/model/README.md has the current numbers."""
    found = tlc.run("Bounds", tlc.MODEL / f"{bounds}.cfg")

    promises = re.findall(r"INVARIANTS (.+)", (tlc.MODEL / f"{bounds}.cfg").read_text())[0]
    report.write(
        f"1-{bounds.lower()}",
        f"{bounds}.cfg: every state keeps {', '.join(promises.split())}",
        ("states generated", "distinct states", "depth"),
        [(found.generated, found.distinct, found.depth)],
    )
    path = ", ".join(found.path)
    assert found.violated is None, f"{found.violated} does not hold after {path}\n{found.counterexample}"
    row = f"| {found.distinct:,} | {found.depth} |"
    page = (tlc.MODEL / "README.md").read_text()
    listed = re.search(rf"(?m)^\| \[{bounds}\.cfg\].*{re.escape(row)}", page)
    assert listed, f"docs/model/README.md: write {row} in the row of {bounds}.cfg"


def test_every_action_is_possible_within_the_small_bounds() -> None:
    """TLC counts the steps of a small part, because counting takes long.

    It counts a step before the bounds reject it. An action whose own step they can reject must also lead to a new
    state; the other actions can only follow a step that the bounds accepted.
    """
    found = tlc.run("Bounds", tlc.MODEL / "Coverage.cfg", coverage=True)

    counted = {name: (found.new_states[name], found.steps[name]) for name in actions()}
    head = ("action", "new states", "steps before the bounds reject some")
    report.write(
        "2-actions", "How often each action was possible", head, [(name, *of) for name, of in counted.items()]
    )
    assert [name for name, (_, steps) in counted.items() if not steps] == [], (
        "these actions were never possible"
    )
    bounded = [name for name in counted if "Begin" in name or name in ("Tick", "PurgeLink")]
    assert [name for name in bounded if not counted[name][0]] == [], (
        "the bounds reject each step of these actions"
    )
