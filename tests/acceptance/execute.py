"""Run the steps one after the other, then clean up, whatever happened."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from chalicelib import __version__
from infra.errors import CommandError
from tests.acceptance.cleanup import clean_up
from tests.acceptance.meter import TooExpensiveError, estimate
from tests.acceptance.report import FAILED, PASSED, SKIPPED, Result, report
from tests.acceptance.run import Run, SkippedError
from tests.acceptance.steps import STEPS, Step

Say = Callable[[str], None]

STEPS_SHARE: Final = 0.7
"""The share of the limit that the steps may use; the rest is for the clean-up."""


class AcceptanceError(CommandError):
    """A run can't begin. The message contains the reason and what to do."""


def check(run: Run, *, drill: bool = False) -> None:
    """Raise `AcceptanceError` if the stage's settings make a run fail or too expensive. Change nothing."""
    given = run.target.parameters
    if run.links < 1 or run.clients < 2:
        raise AcceptanceError("A run needs at least LINKS=1 and CLIENTS=2.")
    if given.get("BookingsClosed", "no") != "no":
        raise AcceptanceError("Bookings are closed on this stage: end its restore first.")
    waf, burst = int(given.get("WafRateLimit", "0")), run.links * run.clients
    if 0 < waf < burst:
        raise AcceptanceError(
            f"WafRateLimit is {waf}, and all clients of a run have one address: it would block them. Use LINKS and "
            f"CLIENTS with a product below {waf}, or another stage."
        )
    if int(given.get("ThrottleRate", "500")) < 50:
        raise AcceptanceError("ThrottleRate is below 50 requests a second, which a run exceeds.")
    if "MakeAdminFunction" not in run.target.outputs:
        raise AcceptanceError("This stage runs a release before 0.2.0: update it first.")
    if drill:
        _check_drill(run)
    most = estimate(run.links, run.clients)
    if most > run.meter.limit:
        raise AcceptanceError(
            f"This run costs up to ${most:.2f}, more than its limit of ${run.meter.limit:.2f}."
        )


def _check_drill(run: Run) -> None:
    """Raise `AcceptanceError` if deploying this clone would change what the stage runs."""
    there, here = run.target.outputs.get("Version"), __version__
    if there != here:
        raise AcceptanceError(
            f"The drill deploys this clone, version {here}, but the stage runs {there}. Check out the stage's release."
        )
    wanted = {**run.target.stage.parameters}
    different = sorted(name for name, value in wanted.items() if run.target.parameters.get(name) != value)
    if different:
        raise AcceptanceError(
            f"The drill deploys the parameters of infra/stages/{run.target.stage.name}.json, but the stage has another "
            f"{different[0]}. Deploy the stage first, or change the file."
        )


def execute(
    run: Run, say: Say, *, steps: Sequence[Step] = STEPS, drill: bool = False
) -> tuple[list[Result], str]:
    """Run the steps and the clean-up; return their results and the report. A failed step does not stop the others.

    Without `drill`, steps that stop or replace parts of the stage are not run.
    """
    begun = datetime.now(UTC)
    run.state.save()
    results: list[Result] = []
    cleaned: list[str] = []
    whole = run.meter.limit
    run.meter.limit = whole * STEPS_SHARE
    try:
        for step in steps:
            if step.is_drill and not drill:
                results.append(Result(step.name, step.what, SKIPPED, ("not asked for: DRILL=yes",), 0))
                continue
            result = _result(run, step)
            results.append(result)
            say(f"{result.outcome:8} {step.name}: {'; '.join(result.lines)}")
    except TooExpensiveError as error:
        results.append(Result("cost", "the run stays below its limit", FAILED, (str(error),), 0))
        say(f"{FAILED:8} {error}")
    finally:
        run.meter.limit = whole
        results.append(_clean_up(run, cleaned))
        say(f"{results[-1].outcome:8} clean-up: {'; '.join(cleaned)}")
    return results, report(run, results, begun, datetime.now(UTC), cleaned)


def _result(run: Run, step: Step) -> Result:
    """Run one step. Raise `TooExpensiveError`, which ends the run."""
    lines: list[str] = []
    since = time.monotonic()
    outcome = PASSED
    try:
        lines.extend(step.act(run))
    except SkippedError as reason:
        outcome = SKIPPED
        lines.append(str(reason))
    except TooExpensiveError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the other steps run
        outcome = FAILED
        lines.append(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:500])
    return Result(step.name, step.what, outcome, tuple(lines), time.monotonic() - since)


def _clean_up(run: Run, cleaned: list[str]) -> Result:
    since = time.monotonic()
    outcome = PASSED
    try:
        cleaned.extend(clean_up(run))
    except Exception as error:  # noqa: BLE001 - the state's file stays, so that CLEAN=yes can try again
        outcome = FAILED
        cleaned.append(f"{type(error).__name__}: {error}; run make acceptance CLEAN=yes")
    return Result("clean-up", "nothing of the run is left", outcome, tuple(cleaned), time.monotonic() - since)
