"""The steps of a run, in order. A step returns what it saw; it fails with an AssertionError or any other error.

To add one: a function `(run) -> Iterator[str]` that yields a line for each thing that it checked, a row in `STEPS`, and
a row in docs/acceptance.md. It calls `run.require("…")` for what ministack lacks, and adds to `run.notes` what only an
account can answer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.acceptance.run import Run
from tests.acceptance.steps.audit import audit
from tests.acceptance.steps.basics import account, sign_in, version
from tests.acceptance.steps.commands import commands, files
from tests.acceptance.steps.drill import destroy, idle, restore
from tests.acceptance.steps.events import events, webhooks
from tests.acceptance.steps.lost_responses import lost_responses
from tests.acceptance.steps.mail import mail
from tests.acceptance.steps.main_job import main_job, one_slot, races
from tests.acceptance.steps.watching import alarms, logs

Act = Callable[[Run], Iterator[str]]


@dataclass(frozen=True)
class Step:
    """A step; `is_drill` ones stop or replace parts of the stage."""

    name: str
    what: str
    act: Act
    is_drill: bool = False


STEPS: Final = (
    Step("version", "the site, the stack and all functions run one version", version),
    Step("account", "the account's limits, alarms and settings", account),
    Step("sign in", "make_admin makes a key that opens the API", sign_in),
    Step("main job", "a link is opened, booked once, moved, cancelled", main_job),
    Step("races", "each link gives one booking, however many clients race for it (P1)", races),
    Step("one slot", "a slot is booked once, through different links (P2)", one_slot),
    Step("lost responses", "a retry after a lost response returns the same booking (P4)", lost_responses),
    Step("events", "every change arrives on the bus, as its schema says (P6)", events),
    Step("webhooks", "signed, retried after a failure, replayed, rotated", webhooks),
    Step("commands", "by the bus, by the queue, and by an SNS topic", commands),
    Step("files", "a CSV file becomes links", files),
    Step("mail", "SES's mailbox simulator: delivered, bounced, complained", mail),
    Step("alarms", "an alarm reaches the topic", alarms),
    Step("logs", "logs have what operators need, and no secret (P7)", logs),
    Step("idle", "after 20 minutes without traffic everything still works", idle, is_drill=True),
    Step("restore", "the table is restored, and a used link stays used", restore, is_drill=True),
    Step("destroy", "the stage is deleted and created again, with its data", destroy, is_drill=True),
    Step("audit", "the table agrees with every answer", audit),
)
