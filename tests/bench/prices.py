"""Compute what a million operations and an idle month cost, from measured units and the assumptions below.

US East (N. Virginia), on demand, without free tiers. docs/operate.md has the resulting table, the sources of the prices
and the reason for each assumption.
"""

from collections import Counter
from collections.abc import Mapping
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

COLUMNS: Final = ("DynamoDB", "API Gateway", "Lambda", "bus and queues", "logs", "SES", "transfer")

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
ALARM_DOLLARS: Final = 0.10  # a month, for each metric of an alarm
METRIC_DOLLARS: Final = 0.30
DASHBOARD_DOLLARS: Final = 3.00
SECRET_DOLLARS: Final = 0.40

# Assumptions: billed milliseconds, with cold starts spread over all calls; kilobytes; shares.
API_MS: Final = 60
PAGE_MS: Final = 100
ASSET_MS: Final = 25
BOOK_MS: Final = 80
AUTHORIZER_MS: Final = 40
UNCACHED_AUTHORIZATIONS: Final = 0.1  # API Gateway caches the authorizer's answer for 30 seconds
BULK_MS_A_LINK: Final = 4
SCHEDULE_MS: Final = 60
EVENT_KB: Final = 1
LOG_KB_A_CALL: Final = 1
ACCESS_LOG_KB: Final = 0.4
ATTACHED_KB: Final = 5
ANSWER_KB: Final = 3
DESCRIPTION_KB: Final = 400  # uncompressed upper bound; `anonymous` measures it
MINUTES: Final = 30 * 24 * 60  # of a month
POLLS_A_QUEUE: Final = (
    5 * MINUTES * 3
)  # Lambda polls an idle queue with five concurrent requests of 20 seconds

_MILLION: Final = 1_000_000
_KB_A_GB: Final = 1024 * 1024


@dataclass(frozen=True)
class Consumer:
    """Milliseconds of one message alone, with a cold start now and then, and in a full batch."""

    alone: float
    in_batch: float
    batch: int


OUTBOX: Final = Consumer(60, 10, 100)
FAN_OUT: Final = Consumer(40, 15, 10)
DELIVER: Final = Consumer(300, 30, 10)  # a batch is delivered concurrently
MAIL: Final = Consumer(600, 400, 10)
FEEDBACK: Final = Consumer(40, 15, 10)


@dataclass(frozen=True)
class Traffic:
    """How much is processed together, and the share of calls that X-Ray traces if it is on.

    X-Ray's sampling on Lambda can't be changed: one request per second, and 5 % of the others.
    """

    full_batches: bool
    traced: float


LOW: Final = Traffic(full_batches=False, traced=1)
HIGH: Final = Traffic(full_batches=True, traced=0.05)


@dataclass
class Use:
    """What one operation uses of each service. `traces` counts the calls that X-Ray traces if it is on."""

    traffic: Traffic = LOW
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

    def call(self, megabytes: int, milliseconds: float, times: float = 1) -> None:
        """Add calls of a function."""
        self.calls += times
        self.gb_seconds += times * megabytes / 1024 * milliseconds / 1000
        self.log_kb += times * LOG_KB_A_CALL

    def consume(self, consumer: Consumer, times: float = 1, *, queued: bool = True) -> None:
        """Add messages for a consumer: from a queue, which receives them one by one, or from the stream."""
        together = consumer.batch if self.traffic.full_batches else 1
        milliseconds = together * consumer.in_batch if self.traffic.full_batches else consumer.alone
        self.call(512, milliseconds, times / together)
        self.traces += times / together * self.traffic.traced
        if queued:
            self.sqs += times * (1 + 2 / together)

    def http(self, milliseconds: float, times: float = 1, *, team: bool = False) -> None:
        """Add requests to the API; `team` are those with an API key."""
        self.requests += times
        self.log_kb += times * ACCESS_LOG_KB
        self.out_kb += times * ANSWER_KB
        self.call(1024, milliseconds, times)
        if team:
            self.call(512, AUTHORIZER_MS, times * UNCACHED_AUTHORIZATIONS)
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
            self.log_kb * gb * LOG_DOLLARS_A_GB,
            self.mails
            * (MAIL_DOLLARS_A_THOUSAND * _MILLION / 1000 + ATTACHED_KB * gb * ATTACHED_DOLLARS_A_GB),
            self.out_kb * gb * TRANSFER_DOLLARS_A_GB,
        )
        return dict(zip(COLUMNS, (round(each, 2) for each in spent), strict=True))

    @property
    def x_ray_dollars(self) -> float:
        """What a million cost more if X-Ray is on."""
        return round(self.traces * TRACE_DOLLARS_A_MILLION, 2)


def prices() -> Section:
    """Measure capacity units and compute the prices from them."""
    section = Section(
        "What a million cost",
        "US East (N. Virginia), on demand, no free tier. With little traffic, each batch has one message; under load, "
        "batches are full. The assumptions are at the top of tests/bench/prices.py.",
    )
    measured = {row.what: row.raw for part in (costs(), downstream()) for row in part.rows}
    page = next(row.raw for row in weight().rows if row.what == "booking page")
    low, high = (_uses(measured, page, traffic) for traffic in (LOW, HIGH))
    for name, use in low.items():
        dollars = use.dollars()
        spent = [f"{column} {value:.2f}" for column, value in dollars.items() if value]
        total = round(sum(dollars.values()), 2)
        loaded = round(sum(high[name].dollars().values()), 2)
        x_ray = (use.x_ray_dollars, high[name].x_ray_dollars)
        section.add(
            name,
            f"${total:.2f}: {', '.join(spent)}; under load ${loaded:.2f}; X-Ray, if on, ${x_ray[0]:.2f} and "
            f"${x_ray[1]:.2f} more",
            raw=dollars | {"sum": total, "under load": loaded, "X-Ray": x_ray},
        )
    return section


def idle(resources: Mapping[str, Any]) -> dict[str, float]:
    """Return what a stage of these resources costs in a month without traffic, in dollars."""
    kinds = Counter(each["Type"] for each in resources.values())
    permanent = [
        each
        for each in resources.values()
        if each["Type"] == "AWS::Logs::MetricFilter"
        and "DefaultValue" in each["Properties"]["MetricTransformations"][0]
    ]
    polled = {
        each["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]
        for each in resources.values()
        if each["Type"] == "AWS::Lambda::EventSourceMapping"
    } - {"Table"}
    schedules, heartbeat = Use(), Use()
    measured = {row.what: row.raw for row in downstream().rows}
    for name in ("expiry schedule, no link due, with the heartbeat", "retry schedule, no webhook due"):
        schedules.call(512, SCHEDULE_MS, MINUTES / _MILLION)
        schedules.rcu += measured[name]["rcu"] * MINUTES / _MILLION
        heartbeat.wcu += measured[name]["wcu"] * MINUTES / _MILLION
    heartbeat.consume(OUTBOX, MINUTES / _MILLION, queued=False)
    return {
        "alarms": kinds["AWS::CloudWatch::Alarm"] * ALARM_DOLLARS,
        "dashboard": kinds["AWS::CloudWatch::Dashboard"] * DASHBOARD_DOLLARS,
        "queues": len(polled) * POLLS_A_QUEUE / _MILLION * SQS_DOLLARS_A_MILLION,
        "metrics": len(permanent) * METRIC_DOLLARS,
        "schedules": sum(schedules.dollars().values()),
        "heartbeat": sum(heartbeat.dollars().values()),
        "secret": kinds["AWS::SecretsManager::Secret"] * SECRET_DOLLARS,
    }


def _uses(measured: dict[str, dict[str, Any]], page: dict[str, int], traffic: Traffic) -> dict[str, Use]:
    make, bulk, page_opened, described, redeem, cancel, webhook, mails = (Use(traffic) for _ in range(8))
    event = Use(traffic)
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
    webhook.consume(DELIVER)
    webhook.fair += webhook.sqs
    webhook.out_kb += EVENT_KB
    mails.units(measured["two emails about a booking"])
    mails.consume(MAIL)
    mails.mails += 2
    mails.units(measured["SES reports that it accepted an email"], 2)
    mails.wcu += 2  # a failed condition costs a write, which the engine does not report
    mails.consume(FEEDBACK, 2)
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
    use.consume(OUTBOX, times, queued=False)
    use.consume(FAN_OUT, times)
    use.events += times
