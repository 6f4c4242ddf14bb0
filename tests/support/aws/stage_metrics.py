"""A model of the metrics that a stage's functions, queues and stream produce, minute by minute, also if one stops.

The rules are those of AWS's documentation: Lambda counts no invocation that it throttles, and no error for messages
that a function returns for retry; it reports IteratorAge only for invocations; SQS leaves a message out of the age of
the oldest message after three receives.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from chalicelib.consumers.batch import STUCK_AGE, STUCK_RECEIVES
from chalicelib.service.mail.send_later import pause_after
from infra.package.functions import HTTP, logical_id
from infra.package.metrics import DIRECT_FAILURES, NAMESPACE, STUCK_MESSAGES
from tests.support.aws.cloudwatch_alarms import Metrics

MAPPING: Final = "AWS::Lambda::EventSourceMapping"
_STUCK_MINUTES: Final = STUCK_AGE / timedelta(minutes=1)
_RECEIVES_WITH_AGE: Final = 3  # after this many receives, SQS leaves a message out of the age
_API: Final = {"ApiName": {"Ref": "AWS::StackName"}, "Stage": "api"}


class Fault(StrEnum):
    """How something stands still."""

    DISABLED = "disabled"
    THROTTLED = "throttled"
    CRASHES = "crashes"
    TIMES_OUT = "times out"
    RETURNS_EACH = "returns each message for retry"


@dataclass
class _Message:
    sent: float
    received: int = 0
    visible: float = 0


@dataclass
class StageModel:
    """A stage of a template. `faults` maps an event source mapping or a function to what is wrong with it."""

    resources: Mapping[str, Any]
    metrics: Metrics = field(default_factory=Metrics)
    faults: dict[str, Fault] = field(default_factory=dict)
    minute: int = 0
    dead: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._sources, self._scheduled = sources(self.resources), scheduled(self.resources)
        self.queues: dict[str, list[_Message]] = {queue: [] for queue in self._sources.values()}
        self.stream: list[int] = []

    def send(self) -> None:
        """Send a message to each queue, a request to the API and to each direct function, and a change to the table."""
        for messages in self.queues.values():
            messages.append(_Message(self.minute))
        self.stream.append(self.minute)
        self._request()
        for name in ("GenerateLinks", "ListLinks", "MakeAdmin", "RedeemLink", "RevokeLinks"):
            if not self._invoke(name):
                self._count(NAMESPACE, DIRECT_FAILURES, {})

    def run_minute(self) -> None:
        """Let one minute pass: schedules, the stream, and every queue."""
        for name in self._scheduled:
            if self.faults.get(f"{name} schedule") is not Fault.DISABLED and self._invoke(name):
                self.stream += [self.minute] * (name == "Expiry")
        self._read_stream()
        for mapping, queue in self._sources.items():
            self._read_queue(mapping, queue)
        self._report()
        self.minute += 1

    def _count(self, namespace: Any, metric: str, dimensions: Mapping[str, Any], value: float = 1) -> None:
        self.metrics.put(namespace, metric, dimensions, self.minute, value)

    def _invoke(self, function: str, fault: Fault | None = None) -> bool:
        """Invoke a function; return whether it succeeded."""
        fault = fault or self.faults.get(function)
        mine = {"FunctionName": {"Ref": function}}
        if fault is Fault.THROTTLED:
            self._count("AWS/Lambda", "Throttles", mine)
            self._count("AWS/Lambda", "Throttles", {})
            return False
        self._count("AWS/Lambda", "Invocations", mine)
        failed = fault in {Fault.CRASHES, Fault.TIMES_OUT}
        self._count("AWS/Lambda", "Errors", mine, failed)
        return not failed

    def _request(self) -> None:
        allowed = self._invoke("Authorizer")
        if not allowed:
            self._count(NAMESPACE, "AuthorizerFailures", {})
        served = allowed and self._invoke(logical_id(HTTP))
        self._count("AWS/ApiGateway", "5XXError", _API, not served)
        self._count("AWS/ApiGateway", "Latency", _API, 100)

    def _read_stream(self) -> None:
        fault = self.faults.get("OutboxStream")
        if not self.stream or fault is Fault.DISABLED:
            return
        done = self._invoke("Outbox", fault)
        if fault is not Fault.THROTTLED:
            age = (self.minute - self.stream[0]) * 60_000
            self._count("AWS/Lambda", "IteratorAge", {"FunctionName": {"Ref": "Outbox"}}, age)
        if fault is Fault.RETURNS_EACH:
            self._bury(
                "OutboxDlq", len(self.stream)
            )  # the function itself dead-letters what it can't publish
        if done:
            self.stream.clear()

    def _read_queue(self, mapping: str, queue: str) -> None:
        fault, messages = self.faults.get(mapping), self.queues[queue]
        batch = [each for each in messages if each.visible <= self.minute]
        if not batch or fault is Fault.DISABLED:
            return
        redrive = self.resources[queue]["Properties"]["RedrivePolicy"]
        for each in batch:
            each.received += (
                1  # also by a throttled mapping: it retries a batch until the batch is visible again
            )
            if each.received > redrive["maxReceiveCount"]:
                messages.remove(each)
                self._bury(redrive["deadLetterTargetArn"]["Fn::GetAtt"][0], 1)
        batch = [each for each in batch if each in messages]
        function = self.resources[mapping]["Properties"]["FunctionName"]["Ref"]
        if batch and self._invoke(function, fault) and fault is not Fault.RETURNS_EACH:
            for each in batch:
                messages.remove(each)
        for each in batch:
            self._hide(queue, each, fault)

    def _hide(self, queue: str, message: _Message, fault: Fault | None) -> None:
        seconds = self.resources[queue]["Properties"]["VisibilityTimeout"]
        if fault is Fault.RETURNS_EACH:
            if queue == "MailQueue":
                seconds = pause_after(message.received)
            if message.received >= STUCK_RECEIVES and self.minute - message.sent > _STUCK_MINUTES:
                self._count(NAMESPACE, STUCK_MESSAGES, {})
        message.visible = self.minute + seconds / 60

    def _bury(self, queue: str, count: int) -> None:
        self.dead[queue] = self.dead.get(queue, 0) + count

    def _report(self) -> None:
        for queue, messages in self.queues.items():
            ages = [self.minute - each.sent for each in messages if each.received < _RECEIVES_WITH_AGE]
            if ages:
                self._count("AWS/SQS", "ApproximateAgeOfOldestMessage", _queue(queue), 60 * max(ages))
        for queue, count in self.dead.items():
            self._count("AWS/SQS", "ApproximateNumberOfMessagesVisible", _queue(queue), count)


def _queue(name: str) -> dict[str, Any]:
    return {"QueueName": {"Fn::GetAtt": [name, "QueueName"]}}


def sources(resources: Mapping[str, Any]) -> dict[str, str]:
    """Return the queue that each event source mapping reads, without the stream's mapping."""
    return {
        name: each["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]
        for name, each in resources.items()
        if each["Type"] == MAPPING and each["Properties"]["EventSourceArn"]["Fn::GetAtt"][0] != "Table"
    }


def scheduled(resources: Mapping[str, Any]) -> list[str]:
    """Return the functions that a schedule starts."""
    return sorted(
        name
        for name, each in resources.items()
        for event in each["Properties"].get("Events", {}).values()
        if each["Type"] == "AWS::Serverless::Function" and event["Type"] == "Schedule"
    )
