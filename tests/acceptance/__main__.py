"""`make acceptance`: test a deployed stage, clean up, and write a report.

Usage: python -m tests.acceptance --stage prod [--confirm prod] [--drill] [--clean] [--links 100] [--clients 16]
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from infra.errors import CommandError
from infra.paths import BUILD
from infra.stack.account import explained, open_account
from infra.stack.stage import read_stage
from tests.acceptance.cleanup import clean_up
from tests.acceptance.execute import AcceptanceError, check, execute
from tests.acceptance.meter import Meter, estimate
from tests.acceptance.report import FAILED
from tests.acceptance.run import Run, new_run_id
from tests.acceptance.state import State, unfinished
from tests.acceptance.target import Target

LIMIT: Final = 1.0
DRILL_LIMIT: Final = 3.0


def _say(line: str) -> None:
    print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one acceptance; return 1 if a step failed or the run can't begin."""
    parser = argparse.ArgumentParser(prog="make acceptance", description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--confirm", default="", help="the stage's name, to confirm")
    parser.add_argument(
        "--drill", action="store_true", help="also restore, destroy and create the stage: 2 hours"
    )
    parser.add_argument("--clean", action="store_true", help="only remove what killed runs have left")
    parser.add_argument("--links", type=int, default=100)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--settle", type=float, default=60, help="seconds between two looks of the clean-up")
    given = parser.parse_args(arguments)
    try:
        with explained():
            return _clean(given) if given.clean else _run(given)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1


def _target(given: argparse.Namespace, meter: Meter) -> Target:
    return Target(open_account(), read_stage(given.stage), meter, settle_seconds=given.settle)


def _run(given: argparse.Namespace) -> int:
    if unfinished(given.stage):
        raise AcceptanceError(f"A run was killed. First: make acceptance STAGE={given.stage} CLEAN=yes")
    meter = Meter(DRILL_LIMIT if given.drill else LIMIT)
    target = _target(given, meter)
    account = target.account
    state = State(given.stage, new_run_id(), account.account_id, account.region)
    run = Run(target, meter, state, given.links, given.clients)
    check(run, drill=given.drill)
    _say(
        f"Stage {target.stack} in account {target.account.account_id}, {target.account.region}: {target.url}"
    )
    _say(
        f"Creates hosts, links and bookings, an API key, and the stack {target.stack}-acceptance-{run.state.run} with "
        "a public function URL; sets off one alarm; removes all of it at the end."
    )
    _say(
        f"Sends about {given.links * given.clients + 1_000:,} requests. Cost: at most "
        f"${estimate(given.links, given.clients):.2f}; it stops at ${meter.limit:.2f}."
    )
    if given.drill:
        _say(
            "DRILL: restores the table, deletes the stage and creates it again; only if nobody else has data on it."
        )
    if given.confirm != given.stage:
        raise AcceptanceError(f"To confirm: make acceptance STAGE={given.stage} CONFIRM={given.stage}")
    results, text = execute(run, _say, drill=given.drill)
    path = BUILD / "acceptance" / f"{given.stage}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    _say(f"The report is {path.relative_to(BUILD.parent)}.")
    return 1 if any(each.outcome == FAILED for each in results) else 0


def _clean(given: argparse.Namespace) -> int:
    found = unfinished(given.stage)
    for state in found:
        meter = Meter(LIMIT)
        target = _target(given, meter)
        if (target.account.account_id, target.account.region) != (state.account, state.region):
            raise AcceptanceError(
                f"Run {state.run} was in account {state.account}, {state.region}: use its credentials and AWS_REGION."
            )
        for line in clean_up(Run(target, meter, state)):
            _say(f"run {state.run}: {line}")
    if not found:
        _say("Nothing to clean up.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
