"""Each way in which a part of a stage stands still sets off an alarm within an hour; a healthy stage sets none (P6).

One part after another stops in a model of the stage's metrics, and the template's alarms are evaluated over them. The
alarms can't see two things. If somebody turns off by hand what brings events to a queue, AWS reports nothing;
docs/operate.md lists these parts. And an AlarmTopic without a subscription notifies nobody; `make deploy` reports that.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import pytest

from chalicelib.consumers.batch import log_retry
from chalicelib.domain.clock import to_millis
from infra.local.stack import local_package
from infra.package.alarms import SCHEDULED, WATCHED
from infra.package.functions import DIRECT, HTTP, logical_id
from infra.package.metrics import STUCK_PATTERN
from tests.support.aws.cloudwatch_alarms import Metrics, goes_off, is_alarm
from tests.support.aws.filter_patterns import counts
from tests.support.aws.stage_metrics import MAPPING, Fault, StageModel, scheduled, sources

FUNCTION: Final = "AWS::Serverless::Function"
HEALTHY_MINUTES: Final = 30
WATCHED_MINUTES: Final = 90

# After how many minutes at most an alarm goes off if a part stops, even if only one message waits for it.
LATE: Final = {
    "CommandMapping": 30, "ImportMapping": 60, "MailFeedbackMapping": 30, "MailMapping": 35, "OutboxRetry": 45,
    "RestoreMapping": 45, "WebhookDeliverMapping": 45, "WebhookFanoutMapping": 30,
    "OutboxStream": 30, "Expiry": 30, "WebhookRetry": 30,
    "APIHandler": 5, "Authorizer": 5,
    "GenerateLinks": 5, "ListLinks": 5, "MakeAdmin": 5, "RedeemLink": 5, "RevokeLinks": 5,
}  # fmt: skip

_OF_INVOCATIONS: Final = (Fault.THROTTLED, Fault.CRASHES, Fault.TIMES_OUT)


@cache
def _resources() -> dict[str, Any]:
    found: dict[str, Any] = local_package().read_template()["Resources"]
    return found


def _stops() -> Iterator[tuple[str, str, Fault]]:
    """Yield every part that can stop, the name that the model knows its fault by, and the fault."""
    for mapping, each in _resources().items():
        if each["Type"] == MAPPING:
            yield from ((mapping, mapping, fault) for fault in Fault)
    for function in scheduled(_resources()):
        yield function, f"{function} schedule", Fault.DISABLED
        yield from ((function, function, fault) for fault in _OF_INVOCATIONS)
    for name in sorted(DIRECT | {HTTP, "authorizer"}):
        yield from ((logical_id(name), logical_id(name), fault) for fault in _OF_INVOCATIONS)


def _alarms_on(stage: StageModel, template: dict[str, Any]) -> set[str]:
    """Return the alarms that are on at the model's minute."""
    return {
        name
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
        and stage.minute % (each["Properties"]["Period"] // 60) == 0
        and goes_off(each["Properties"], stage.metrics, stage.minute, template["Parameters"])
    }


def _run(stage: StageModel, template: dict[str, Any], minutes: int, *, busy: bool) -> tuple[int, set[str]]:
    """Let minutes pass until an alarm goes off; return how many minutes passed and the alarms that are on."""
    for passed in range(1, minutes + 1):
        if busy:
            stage.send()
        stage.run_minute()
        if on := _alarms_on(stage, template):
            return passed, on
    return minutes, set()


def _healthy(template: dict[str, Any], *, busy: bool) -> StageModel:
    """Return a stage after half an hour without a fault, by when every alarm has enough data."""
    stage = StageModel(template["Resources"])
    for _ in range(HEALTHY_MINUTES):
        if busy:
            stage.send()
        stage.run_minute()
    return stage


@pytest.mark.parametrize("busy", [True, False], ids=["busy", "one message"])
@pytest.mark.parametrize(("part", "where", "fault"), list(_stops()))
def test_an_alarm_goes_off_if_a_part_stops(
    template: dict[str, Any], part: str, where: str, fault: Fault, busy: bool
) -> None:
    """P6: nothing stands still in silence, neither under load nor with a single message."""
    stage = _healthy(template, busy=busy)
    stage.faults[where] = fault
    if not busy:
        stage.send()
    passed, on = _run(stage, template, WATCHED_MINUTES, busy=busy)
    assert on, "no alarm"
    assert passed <= LATE[part], on


def test_every_function_mapping_and_schedule_is_stopped(resources: dict[str, Any]) -> None:
    """A new consumer needs a row in LATE, and its queue a limit."""
    parts = {part for part, _, _ in _stops()}
    assert parts == set(LATE)
    read = {
        each["Properties"]["FunctionName"]["Ref"] for each in resources.values() if each["Type"] == MAPPING
    }
    functions = {name for name, each in resources.items() if each["Type"] == FUNCTION}
    assert functions == read | (parts & functions)
    assert scheduled(resources) == sorted(logical_id(name) for name in SCHEDULED)
    assert max(LATE.values()) <= 60


def test_a_rule_that_cannot_deliver_sets_off_an_alarm(template: dict[str, Any]) -> None:
    """P6: an event that EventBridge can't deliver is in a dead-letter queue, and each of them has an alarm."""
    rules = {
        name: each for name, each in template["Resources"].items() if each["Type"] == "AWS::Events::Rule"
    }
    for name, rule in rules.items():
        for target in rule["Properties"]["Targets"]:
            stage = _healthy(template, busy=False)
            stage.dead[target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]] = 1
            assert _run(stage, template, 5, busy=False)[1], name


@pytest.mark.parametrize("busy", [True, False], ids=["busy", "idle"])
def test_a_healthy_stage_sets_off_no_alarm(template: dict[str, Any], busy: bool) -> None:
    assert _run(_healthy(template, busy=busy), template, WATCHED_MINUTES, busy=busy)[1] == set()


def test_a_restore_that_swaps_the_stream_sets_off_no_alarm(template: dict[str, Any]) -> None:
    """For ten minutes no record reaches the outbox; then it reads the new table's stream."""
    stage = _healthy(template, busy=False)
    stage.faults["OutboxStream"] = Fault.DISABLED
    assert _run(stage, template, 10, busy=False)[1] == set()
    del stage.faults["OutboxStream"]
    stage.stream.clear()
    assert _run(stage, template, 60, busy=False)[1] == set()


def test_only_alarms_of_what_runs_every_minute_are_on_before_the_first_minute(
    template: dict[str, Any],
) -> None:
    """None of them rolls a deployment back."""
    new = StageModel(template["Resources"])
    on = _alarms_on(new, template)
    assert on == {"OutboxBehindAlarm", "ExpiryStoppedAlarm", "WebhookRetryStoppedAlarm"}
    assert not on & set(WATCHED)


@pytest.mark.parametrize(
    ("answers", "rolled_back"),
    [
        ([(1, 1_000)] * 5, False),
        ([(1, 1), (0, 50), (0, 50), (0, 50), (0, 50)], False),
        ([(1, 1), (1, 1), (0, 1), (0, 1), (0, 1)], False),
        ([(30, 100)] * 3, True),
        ([(1, 1), (0, 0), (1, 1), (0, 0), (1, 1)], True),
        ([(60, 1_000)] * 3, True),
        ([(40, 1_000)] * 5, False),
        ([(0, 0)] * 5, False),
    ],
)
def test_a_deployment_is_rolled_back_by_a_rate_and_not_by_a_single_5xx(
    resources: dict[str, Any], answers: list[tuple[int, int]], rolled_back: bool
) -> None:
    """Each pair is one minute: how many of how many requests got a 5xx."""
    alarm, metrics = resources["DeploymentErrorsAlarm"]["Properties"], Metrics()
    dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
    for minute, (failed, requests) in enumerate(answers):
        for number in range(requests):
            metrics.put("AWS/ApiGateway", "5XXError", dimensions, minute, number < failed)
    assert goes_off(alarm, metrics, len(answers), {}) is rolled_back


@pytest.mark.parametrize(
    "where", ["Table", "byHost", "byEventType", "byReference", "byRecipient", "byLabel", "due"]
)
@pytest.mark.parametrize("kind", ["Read", "Write"])
def test_throttling_of_the_table_or_of_an_index_sets_off_an_alarm(
    template: dict[str, Any], where: str, kind: str
) -> None:
    """DynamoDB reports each index apart from its table."""
    stage = _healthy(template, busy=True)
    dimensions: dict[str, Any] = {"TableName": {"Ref": "Table"}}
    if where != "Table":
        dimensions["GlobalSecondaryIndexName"] = where
    stage.metrics.put("AWS/DynamoDB", f"{kind}ThrottleEvents", dimensions, stage.minute, 1)
    _, [name] = _run(stage, template, 5, busy=True)
    assert name.startswith("Table" if where == "Table" else f"{where[0].upper()}{where[1:]}Index")


def test_the_log_of_every_function_that_reads_a_queue_is_searched_for_stuck_messages(
    resources: dict[str, Any],
) -> None:
    """Lambda counts no error for a message that a function returns for retry, and MailQueue retries for a day."""
    searched = {
        each["Properties"]["LogGroupName"]["Ref"]
        for each in resources.values()
        if each["Type"] == "AWS::Logs::MetricFilter" and each["Properties"]["FilterPattern"] == STUCK_PATTERN
    }
    readers = {resources[mapping]["Properties"]["FunctionName"]["Ref"] for mapping in sources(resources)}
    assert searched == {f"{reader}LogGroup" for reader in readers}


@pytest.mark.parametrize(("receives", "minutes", "counted"), [(3, 16, True), (2, 60, False), (30, 14, False)])
def test_the_pattern_counts_the_line_of_a_stuck_message(
    caplog: pytest.LogCaptureFixture, receives: int, minutes: int, counted: bool
) -> None:
    """The consumers write the line that the metric filters count."""
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    sent = {
        "ApproximateReceiveCount": str(receives),
        "SentTimestamp": str(to_millis(now - timedelta(minutes=minutes))),
    }
    log_retry({"messageId": "m-1", "attributes": sent}, ValueError(), now)
    [record] = caplog.records
    assert counts(STUCK_PATTERN, json.dumps({"event": vars(record)["event"]})) is counted


# The guide's tables, for three evaluation periods; 0 is within the threshold, X breaches it, - is missing.
_GUIDE: Final = [
    ("0 - X - X", 3, False, False), ("0 - - - -", 3, False, False), ("- - - - -", 3, True, False),
    ("0 X X - X", 3, True, True), ("- - X - -", 3, True, False),
    ("0 - X - X", 2, True, True), ("0 0 X 0 X", 2, True, True), ("0 - X - -", 2, True, False),
    ("- - - - 0", 2, True, False), ("- - - X -", 2, True, False),
]  # fmt: skip


@pytest.mark.parametrize(("points", "datapoints", "breaching", "not_breaching"), _GUIDE)
def test_the_model_evaluates_alarms_as_the_guide_does(
    points: str, datapoints: int, breaching: bool, not_breaching: bool
) -> None:
    series = [{"0": False, "X": True, "-": None}[each] for each in points.split()]
    assert is_alarm(series, 3, datapoints, "breaching") is breaching
    assert is_alarm(series, 3, datapoints, "notBreaching") is not_breaching
