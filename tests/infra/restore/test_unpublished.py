"""What `make restore` and `make destroy` find that is not published as events (P1): the old stream is lost with it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from infra.paths import FRAGMENTS
from infra.stack.account import Account
from infra.stack.unpublished import find_unpublished
from tests.infra.restore.cloud import BEGIN, OUTPUTS, OWN_TABLE, missing_error

FOUND = {**OUTPUTS, "TableName": OWN_TABLE}
STREAM = json.loads((FRAGMENTS / "events.json").read_text())["Resources"]["OutboxStream"]["Properties"]
READS = {"State": "Enabled", "EventSourceArn": f"arn:table/{OWN_TABLE}/stream/1"}
MAPPING = {**READS, "FilterCriteria": STREAM["FilterCriteria"]}


class Outbox:
    """An outbox that has published everything, apart from what a test changes."""

    def __init__(self, **changes: Any) -> None:
        self.messages = {"outbox-dlq": 0, "outbox-retry": 0}
        self.crashes: list[datetime] = []
        self.lags: list[float] = [200.0, 900.0]
        self.earlier: list[float] = [900.0]
        self.mappings = [MAPPING, {"State": "Disabled", "EventSourceArn": "arn:table/another/stream/1"}]
        self.table: dict[str, Any] | None = {}
        vars(self).update(changes)

    @property
    def account(self) -> Account:
        clients = {
            "sqs": SimpleNamespace(get_queue_attributes=self._count),
            "s3": self._pages({"Contents": [{"LastModified": at} for at in self.crashes]}),
            "lambda": self._pages({"EventSourceMappings": self.mappings}),
            "cloudwatch": SimpleNamespace(get_metric_statistics=self._points),
            "dynamodb": SimpleNamespace(describe_table=self._describe),
        }
        session = SimpleNamespace(create_client=lambda service, **_: clients[service])
        return Account(session, "000000000000", "us-east-1")

    def _count(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - botocore's name
        number = self.messages[QueueUrl.removeprefix("https://sqs/0/")]
        return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": str(number)}}

    def _pages(self, page: dict[str, Any]) -> Any:
        return SimpleNamespace(get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: [page]))

    def _points(self, **asked: Any) -> dict[str, Any]:
        assert (asked["MetricName"], asked["Dimensions"][0]["Value"]) == (
            "IteratorAge",
            OUTPUTS["OutboxFunction"],
        )
        if asked["Period"] == 60:
            lags = self.lags
            assert datetime.now(UTC) - asked["StartTime"] < timedelta(minutes=10), "not before the marker"
        else:
            lags, seconds = self.earlier, (asked["EndTime"] - asked["StartTime"]).total_seconds()
            assert seconds / asked["Period"] <= 1440, "CloudWatch refuses more"
            assert seconds == 35 * 86_400 or asked["StartTime"] == BEGIN
        at = BEGIN.astimezone(timezone(timedelta(hours=1)))  # botocore returns the machine's time zone
        return {
            "Datapoints": [
                {"Maximum": lag, "Timestamp": at + timedelta(hours=hour)} for hour, lag in enumerate(lags)
            ]
        }

    def _describe(self, **_: Any) -> dict[str, Any]:
        if self.table is None:
            raise missing_error("DescribeTable")
        return {"Table": self.table}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"messages": {"outbox-dlq": 2, "outbox-retry": 0}}, ["2 stream records are in OutboxDlq"]),
        ({"messages": {"outbox-dlq": 0, "outbox-retry": 2}}, ["2 stream records are in OutboxRetryQueue"]),
        ({"crashes": [BEGIN - timedelta(days=1)]}, []),
        ({"crashes": [BEGIN]}, ["crashed on 1 stream batches"]),
        ({"lags": [200.0, 61_000.0]}, ["is 1 minutes behind"]),
        ({"earlier": [900.0, 81_000_000.0, 86_000_000.0]}, ["more than 20 hours behind at 2026-11-21 13:00 UTC"]),
        ({"earlier": [64_800_000.0]}, []),
        ({"lags": []}, ["has read nothing for five minutes"]),
        ({"lags": [], "mappings": [READS]}, []),
        ({"lags": [], "table": None}, []),
        ({"lags": [], "mappings": [{**MAPPING, "State": "Disabled"}]}, ["its mapping is Disabled"]),
        ({"mappings": []}, ["its mapping is missing"]),
    ],
    ids=[
        "everything is published", "dead letters", "redriven, not yet published", "an earlier crash", "a crash",
        "behind", "behind before, records expired", "behind before, none expired", "throttled",
        "a release without heartbeat", "a table that is gone", "disabled", "no mapping",
    ],
)  # fmt: skip
def test_what_is_not_published_is_found(changes: dict[str, Any], words: list[str]) -> None:
    """P1: each place where a change may be that is not in the archive. A throttled outbox has no lag."""
    account = Outbox(**changes).account
    reasons = find_unpublished(account, FOUND, BEGIN)
    assert len(find_unpublished(account, FOUND, datetime.fromtimestamp(0, UTC))) >= len(reasons), (
        "make destroy"
    )
    assert len(reasons) == len(words), reasons
    assert all(word in reason for word, reason in zip(words, reasons, strict=True))
