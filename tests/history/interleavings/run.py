"""Run the interleavings from a printed seed, and report after how many examples a violation was found."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.history.interleavings.state_machine import BrokenPromiseError, Interleavings

STEPS: Final = 20


class Found(NamedTuple):
    """A violation: which checks of `broken_promises` reported it, in which example, and the report."""

    checks: tuple[str, ...]
    example: int
    report: str


def run(
    examples: int, start: int, verbs: Sequence[str] | None = None, *, shrink: bool = False
) -> Found | None:
    """Try that many examples; return the first that breaks a promise, shrunk if `shrink` is set."""

    class Narrowed(Interleavings):
        pass

    Narrowed.verbs = verbs
    before = Interleavings.examples
    try:
        run_state_machine_as_test(
            seed(start)(Narrowed),
            settings=settings(
                max_examples=examples,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
                print_blob=False,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    except BrokenPromiseError as error:
        return Found(error.checks, Interleavings.examples - before, str(error))
    return None
