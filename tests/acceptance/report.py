"""The report of a run, as Markdown."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tests.acceptance.meter import PRICES
from tests.acceptance.run import Run

PASSED: Final = "passed"
FAILED: Final = "FAILED"
SKIPPED: Final = "skipped"

BY_HAND: Final = (
    "Whether one PutEvents with several entries meets the condition on `events:source`: only a full batch shows it.",
    "Billing of metric-math alarms, and of `Throttles` without dimensions: look at the bill after a day.",
    "How long DynamoDB fills a new index: no release adds one; a restored table shows it in `make deploy`.",
    "The console's quick-create page, and `make_admin` on its *Test* tab: open the links of `make publish` once.",
    "The execution role's least actions: deploy with `DEPLOY_ROLE`, and with the policy of `make deployer-policy`.",
    "After how many idle seconds AWS closes a connection, and how: only the effect is tested, in the step *idle*.",
)
"""Questions that no step answers."""


@dataclass(frozen=True)
class Result:
    """What a step saw: its outcome, a line for each check, and its duration in seconds."""

    name: str
    what: str
    outcome: str
    lines: tuple[str, ...]
    seconds: float


def report(
    run: Run, results: Sequence[Result], begun: datetime, ended: datetime, cleaned: Sequence[str]
) -> str:
    """Return the report."""
    account, version = run.target.account, run.target.outputs.get("Version", "unknown")
    counts = {
        outcome: sum(each.outcome == outcome for each in results) for outcome in (PASSED, FAILED, SKIPPED)
    }
    return "\n".join(
        [
            f"# Acceptance of {run.target.stack}",
            "",
            f"- **{counts[PASSED]} passed, {counts[FAILED]} failed, {counts[SKIPPED]} skipped**",
            f"- version {version}, in account …{account.account_id[-4:]}, {account.region}",
            f"- {begun:%Y-%m-%d %H:%M} UTC, {(ended - begun).total_seconds() / 60:.0f} minutes; run {run.state.run}",
            f"- cost: at most ${run.meter.dollars:.2f} (limit ${run.meter.limit:.2f})",
            f"- {run.retried} requests were repeated after a 429 or 503",
            "",
            "| step | | what was seen | s |",
            "|---|---|---|---|",
            *(_row(each) for each in results),
            "",
            "## Cost",
            "| | calls | at most |",
            "|---|---|---|",
            *(
                f"| {kind} | {count:,} | ${PRICES[kind] * count:.2f} |"
                for kind, count in sorted(run.meter.counts.items())
            ),
            "",
            "## Latency, in milliseconds, as this machine saw it",
            "| request | number | p50 | p95 | largest |",
            "|---|---|---|---|---|",
            *(_latency(what, seconds) for what, seconds in sorted(run.latencies.items())),
            "",
            "## What only an account can answer",
            *(f"- {note}" for note in run.notes),
            "",
            "Not answered by a step:",
            *(f"- {each}" for each in BY_HAND),
            "",
            "## Clean-up",
            *(f"- {line}" for line in cleaned),
            "",
        ]
    )


def _row(result: Result) -> str:
    lines = "<br>".join(line.replace("|", "\\|").replace("\n", " ") for line in result.lines)
    return f"| {result.name}: {result.what} | {result.outcome} | {lines} | {result.seconds:.0f} |"


def _latency(what: str, seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    middle, most = statistics.median(ordered), ordered[-1]
    late = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return f"| {what} | {len(ordered)} | {middle * 1000:.0f} | {late * 1000:.0f} | {most * 1000:.0f} |"
