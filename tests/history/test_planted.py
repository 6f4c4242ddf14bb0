"""Every planted bug (mutant) still applies to the current source."""

import pytest

from tests.history.planted import BUGS, planted


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_can_be_planted(name: str) -> None:
    edit = BUGS[name].edits[0]
    original = edit.function.__code__

    with planted(BUGS[name]):
        assert edit.function.__code__ is not original

    assert edit.function.__code__ is original
