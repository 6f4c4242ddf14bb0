"""Compute what a million operations cost in all services, from measured capacity units and the assumptions below.

US East (N. Virginia), on demand, without free tiers. docs/operate.md has the resulting table, the sources of the prices
and the reason for each assumption.
"""

from dataclasses import dataclass
from typing import Any, Final

from tests.bench.costs import (
    DOLLARS_A_MILLION_READS,
    DOLLARS_A_MILLION_WRITES,
    LAMBDA_DOLLARS_A_MILLION,
    REST_DOLLARS_A_MILLION,
    costs,
)
from tests.bench.downstream import downstream
from tests.bench.pages import weight
from tests.bench.report.sections import Section

COLUMNS: Final = ("DynamoDB", "API Gateway", "Lambda", "bus and queues", "logs and traces", "SES", "transfer")

LAMBDA_DOLLARS_A_GB_SECOND: Final = 0.0000133334
SQS_DOLLARS_A_MILLION: Final = 0.40
FAIR_DOLLARS_A_MILLION: Final = 0.10  # surcharge for messages in fair queues, with a message group
EVENT_DOLLARS_A_MILLION: Final = 1.00
ARCHIVE_DOLLARS_A_GB: Final = 0.10 + 0.023 * 40 / 30  # ingested, and stored for EventArchiveDays
LOG_DOLLARS_A_GB: Final = 0.50
TRACE_DOLLARS_A_MILLION: Final = 5.00
MAIL_DOLLARS_A_THOUSAND: Final = 0.10
ATTACHED_DOLLARS_A_GB: Final = 0.12
TRANSFER_DOLLARS_A_GB: Final = 0.09

# Assumptions: billed milliseconds, with cold starts spread over all calls; kilobytes; shares.
API_MS: Final = 60
PAGE_MS: Final = 100
ASSET_MS: Final = 25
BOOK_MS: Final = 80
AUTHORIZER_MS: Final = 40
UNCACHED_AUTHORIZATIONS: Final = 0.1  # API Gateway caches the authorizer's answer for 30 seconds
BULK_MS_A_LINK: Final = 4
OUTBOX_MS: Final = 60
FAN_OUT_MS: Final = 40
DELIVER_MS: Final = 300
MAIL_MS: Final = 600
FEEDBACK_MS: Final = 40
EVENT_KB: Final = 1
LOG_KB_A_CALL: Final = 1
ACCESS_LOG_KB: Final = 0.4
ATTACHED_KB: Final = 5
ANSWER_KB: Final = 3
DESCRIPTION_KB: Final = (
    320  # uncompressed upper bound: the largest response that needs neither a key nor a link
)
TRACED: Final = 0.05
SQS_A_MESSAGE: Final = 3  # send, receive and delete, not batched, as with little traffic

_MILLION: Final = 1_000_000
_KB_A_GB: Final = 1024 * 1024


@dataclass
class Use:
    """What one operation uses of each service."""

    wcu: float = 0
    rcu: float = 0
    requests: float = 0
    sqs: float = 0
    fair: float = 0
    events: float = 0
    log_kb: float = 0
    traces: float = 0
    mails: float = 0
    out_kb: float = 0
    calls: float = 0
    gb_seconds: float = 0

    def call(self, megabytes: int, milliseconds: float, times: float = 1, *, traced: bool = True) -> None:
        """Add calls of a function."""
        self.calls += times
        self.gb_seconds += times * megabytes / 1024 * milliseconds / 1000
        self.log_kb += times * LOG_KB_A_CALL
        self.traces += times * TRACED * traced

    def http(self, milliseconds: float, times: float = 1, *, team: bool = False) -> None:
        """Add requests to the API; `team` are those with an API key."""
        self.requests += times
        self.log_kb += times * ACCESS_LOG_KB
        self.out_kb += times * ANSWER_KB
        self.call(1024, milliseconds, times, traced=False)
        if team:
            self.call(512, AUTHORIZER_MS, times * UNCACHED_AUTHORIZATIONS, traced=False)
            self.rcu += times * UNCACHED_AUTHORIZATIONS

    def units(self, row: dict[str, Any], share: float = 1) -> None:
        """Add measured capacity units."""
        self.wcu += row["wcu"] * share
        self.rcu += row["rcu"] * share

    def dollars(self) -> dict[str, float]:
        """Return the cost of a million, by column."""
        gb = _MILLION / _KB_A_GB
        spent = (
            self.wcu * DOLLARS_A_MILLION_WRITES + self.rcu * DOLLARS_A_MILLION_READS,
            self.requests * REST_DOLLARS_A_MILLION,
            self.calls * LAMBDA_DOLLARS_A_MILLION + self.gb_seconds * _MILLION * LAMBDA_DOLLARS_A_GB_SECOND,
            self.events * (EVENT_DOLLARS_A_MILLION + EVENT_KB * gb * ARCHIVE_DOLLARS_A_GB)
            + self.sqs * SQS_DOLLARS_A_MILLION
            + self.fair * FAIR_DOLLARS_A_MILLION,
            self.log_kb * gb * LOG_DOLLARS_A_GB + self.traces * TRACE_DOLLARS_A_MILLION,
            self.mails
            * (MAIL_DOLLARS_A_THOUSAND * _MILLION / 1000 + ATTACHED_KB * gb * ATTACHED_DOLLARS_A_GB),
            self.out_kb * gb * TRANSFER_DOLLARS_A_GB,
        )
        return dict(zip(COLUMNS, (round(each, 2) for each in spent), strict=True))


def prices() -> Section:
    """Measure capacity units and compute the prices from them."""
    section = Section(
        "What a million cost",
        "US East (N. Virginia), on demand, no free tier, little traffic: each batch has one message. The assumptions "
        "are at the top of tests/bench/prices.py.",
    )
    measured = {row.what: row.raw for part in (costs(), downstream()) for row in part.rows}
    page = next(row.raw for row in weight().rows if row.what == "booking page")
    for name, use in _uses(measured, page).items():
        dollars = use.dollars()
        spent = [f"{column} {value:.2f}" for column, value in dollars.items() if value]
        total = round(sum(dollars.values()), 2)
        section.add(name, f"${total:.2f}: {', '.join(spent)}", raw=dollars)
    return section


def _uses(measured: dict[str, dict[str, Any]], page: dict[str, int]) -> dict[str, Use]:
    make, bulk, page_opened, described, redeem, cancel, webhook, mails = (Use() for _ in range(8))
    event = Use()
    _event(event, measured)
    make.http(API_MS, team=True)
    make.units(measured["create one link"])
    _event(make, measured)
    bulk.http(1000 * BULK_MS_A_LINK, 0.001, team=True)
    bulk.units(measured["create 1,000 links"], 0.001)
    bulk.out_kb += 1
    _event(bulk, measured)
    page_opened.http(PAGE_MS)
    page_opened.http(ASSET_MS, len(page) - 1)
    page_opened.out_kb = sum(page.values()) / 1024
    page_opened.units(measured["open the booking page, 30 days"])
    _event(page_opened, measured)
    described.http(ASSET_MS)
    described.out_kb = DESCRIPTION_KB
    redeem.http(BOOK_MS)
    redeem.units(measured["redeem"])
    _event(redeem, measured, 2)
    cancel.http(BOOK_MS)
    cancel.units(measured["cancel"])
    _event(cancel, measured)
    webhook.units(measured["fan-out of one event, one webhook"])
    webhook.units(measured["fan-out of one event, no webhook"], -1)
    webhook.units(measured["deliver to a webhook, first attempt accepted"])
    webhook.sqs += SQS_A_MESSAGE
    webhook.fair += SQS_A_MESSAGE
    webhook.call(512, DELIVER_MS)
    webhook.out_kb += EVENT_KB
    mails.units(measured["two emails about a booking"])
    mails.sqs += SQS_A_MESSAGE
    mails.call(512, MAIL_MS)
    mails.mails += 2
    mails.units(measured["SES reports that it accepted an email"], 2)
    mails.wcu += 2  # a failed condition costs a write, which the engine does not report
    mails.sqs += 2 * SQS_A_MESSAGE
    mails.call(512, FEEDBACK_MS, 2)
    return {
        "an event: history, bus, archive, fan-out": event,
        "create a link, one per call": make,
        "create a link, 1,000 per call": bulk,
        "open the booking page, nothing cached": page_opened,
        "read the API description, uncompressed": described,
        "redeem": redeem,
        "cancel": cancel,
        "deliver an event to a webhook": webhook,
        "two emails about a booking": mails,
    }


def _event(use: Use, measured: dict[str, dict[str, Any]], times: int = 1) -> None:
    """Add what every event costs: its history, the bus, the archive, and the search for subscribed webhooks."""
    use.units(measured["history of one event"], times)
    use.units(measured["fan-out of one event, no webhook"], times)
    use.call(512, OUTBOX_MS, times)
    use.call(512, FAN_OUT_MS, times)
    use.events += times
    use.sqs += times * SQS_A_MESSAGE
