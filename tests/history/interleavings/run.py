"""Run the state machine under Hypothesis from a seed that is printed, and report after how much it found a bug."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.history.interleavings.state_machine import BrokenPromiseError, Interleavings

STEPS: Final = 20


class Found(NamedTuple):
    """What broke, who saw it, and in which example; the judges are those of `broken_promises`."""

    judges: tuple[str, ...]
    example: int
    said: str


def run(
    examples: int, start: int, verbs: Sequence[str] | None = None, *, shrink: bool = False
) -> Found | None:
    """Try that many examples; return the first that breaks a promise, made small where `shrink` says so."""

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
        return Found(error.judges, Interleavings.examples - before, str(error))
    return None
