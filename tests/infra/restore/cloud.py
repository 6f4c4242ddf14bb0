"""An account with one stage in memory: what `make restore` calls, and what it waits for.

The command can be killed between any two calls. Nothing waits: time passes when the command waits.
"""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from infra.stack.account import Account
from infra.stack.clock import Clock
from infra.stack.stack_state import StackState
from infra.stack.stage import Stage

BUS = "arn:aws:events:us-east-1:000000000000:event-bus/admit-one-prod-events"
KEYS = "arn:aws:secretsmanager:us-east-1:000000000000:secret:existing-a1b2c3"  # the stage's file does not name them
OWN_TABLE = "admit-one-prod-Table-1"
OWN_ARN = f"arn:aws:dynamodb:us-east-1:000000000000:table/{OWN_TABLE}"
BEGIN = datetime(2026, 11, 21, 12, tzinfo=UTC)
MOMENT = datetime(2026, 11, 21, 10, tzinfo=UTC)
OUTPUTS = {
    "EventBusArn": BUS, "EventBusName": "admit-one-prod-events", "EventArchiveName": "ours",
    "EventArchiveArn": "arn:ours",
    "RestoreRuleArn": "arn:aws:events:us-east-1:000000000000:rule/admit-one-prod-events/restore",
    "RestoreQueueUrl": "https://sqs/0/restore", "RestoreDlqUrl": "https://sqs/0/restore-dlq",
    "RestoreFunction": "admit-one-prod-restore", "OutboxFunction": "admit-one-prod-outbox",
    "OutboxDlqUrl": "https://sqs/0/outbox-dlq", "OutboxRetryQueueArn": "arn:aws:sqs:us-east-1:0:outbox-retry",
    "OutboxCrashesBucketName": "crashes",
}  # fmt: skip


class Killed(BaseException):
    """The command was killed."""


def missing_error(operation: str, code: str = "ResourceNotFoundException") -> ClientError:
    """Return the error of a resource that does not exist."""
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


def _failed(error: dict[str, Any]) -> dict[str, Any]:
    return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(error).encode())}


@dataclass
class Cloud:
    """The account. `arrivals` are times (seconds after the replay) at which replayed events reach the queue.

    `poison` are events that can never be applied, and `revoked` the pages of links that are revoked.
    """

    kill_at: int = -1
    calls: int = 0
    moment: datetime = BEGIN
    closed: str = "no"
    table: str = OWN_TABLE
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    backups: dict[str, Any] = field(
        default_factory=lambda: {
            "PointInTimeRecoveryStatus": "ENABLED",
            "EarliestRestorableDateTime": BEGIN - timedelta(days=30),
        }
    )
    archive: dict[str, Any] = field(default_factory=dict)
    archived: list[dict[str, Any]] = field(default_factory=list)
    replays: dict[str, dict[str, Any]] = field(default_factory=dict)
    fates: list[str] = field(default_factory=list)
    replay_seconds: float = 0.0
    arrivals: tuple[float, ...] = (0.0, 0.0)
    lost: set[int] = field(default_factory=set)
    poison: set[int] = field(default_factory=set)
    dead: int = 0
    gaps: list[str] = field(default_factory=list)
    put_reply: dict[str, Any] | None = None
    sent: list[tuple[datetime, int]] = field(default_factory=list)
    metrics: Callable[["Cloud"], int | None] = lambda cloud: sum(number for _, number in cloud.sent)
    ledger: int = 0
    markers: set[str] = field(default_factory=set)
    applied: set[int] = field(default_factory=set)
    revoked: set[int] = field(default_factory=set)
    steps: list[dict[str, Any]] = field(default_factory=list)
    replies: list[Exception | dict[str, Any] | None] = field(default_factory=list)
    history: list[tuple[str, str]] = field(default_factory=list)
    opened_with: list[set[int]] = field(default_factory=list)
    revocations_copied: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Create the stage's table and its archive."""
        created = BEGIN - timedelta(days=30)
        self.tables[self.table] = {"TableName": self.table, "TableArn": OWN_ARN, "CreationDateTime": created}
        self.archive = {
            "ArchiveName": "ours", "ArchiveArn": "arn:ours", "EventSourceArn": BUS, "State": "ENABLED",
            "CreationTime": BEGIN - timedelta(days=30), "RetentionDays": 0,
        }  # fmt: skip

    @property
    def account(self) -> Account:
        """The account, for the command."""
        session = SimpleNamespace(create_client=lambda service, **_: getattr(self, f"_{service}")())
        return Account(session, "000000000000", "us-east-1")

    @property
    def clock(self) -> Clock:
        """The account's time, which passes only while the command waits."""
        return Clock(lambda: self.moment, self.advance)

    def advance(self, seconds: float) -> None:
        """Let time pass, and deliver what is due by then."""
        self.moment += timedelta(seconds=seconds)

    def call(self, effect: Callable[[], Any]) -> Any:
        """Make one call, or kill the command before it, which is after the effect of the call before."""
        if self.calls == self.kill_at:
            self.kill_at = -1
            raise Killed
        self.calls += 1
        return effect()

    def sent_before(self, *, minutes: int) -> int:
        """Return how many messages were sent until some minutes ago."""
        return sum(number for at, number in self.sent if self.moment - at > timedelta(minutes=minutes))

    def outputs(self, *_: Any) -> dict[str, str]:
        """Return the stack's outputs."""
        return {**OUTPUTS, "TableName": self.table}

    def read_stack(self, *_: Any) -> StackState:
        """Return the state of the stack."""
        return StackState(
            "admit-one-prod",
            "UPDATE_COMPLETE",
            parameters={"BookingsClosed": self.closed},
            outputs={"TableName": self.table, "SigningSecretId": KEYS},
            resources={"Table": OWN_TABLE},
        )

    def deploy(self, _account: Account, stage: Stage, *_: Any, **__: Any) -> None:
        """Deploy the stage: use its table, and close what it closes."""

        def effect() -> None:
            self.table = stage.table or OWN_TABLE
            assert self.table in self.tables
            assert stage.signing_secret == KEYS, "with other keys, no link works"
            self.closed = stage.parameters["BookingsClosed"]
            self.history.append((self.table, self.closed))
            if self.closed == "no":
                self.opened_with.append(set(self.applied))

        self.call(effect)

    def copy_revocations(self, _account: Account, _sources: Any, table: str, _since: datetime) -> None:
        """Copy the revocations of API keys."""
        self.call(lambda: self.revocations_copied.add(table))

    def _cloudformation(self) -> Any:
        return None

    def _dynamodb(self) -> Any:
        def describe(*, TableName: str) -> dict[str, Any]:  # noqa: N803 - botocore's name
            if TableName not in self.tables:
                raise missing_error("DescribeTable")
            return {"Table": self.tables[TableName]}

        def restore(*, SourceTableName: str, TargetTableName: str, **asked: Any) -> None:  # noqa: N803
            def effect() -> None:
                assert SourceTableName == OWN_TABLE
                assert TargetTableName not in self.tables
                summary = {"RestoreDateTime": asked["RestoreDateTime"], "SourceTableArn": OWN_ARN}
                self.tables[TargetTableName] = {"TableName": TargetTableName, "RestoreSummary": summary}

            self.call(effect)

        def backups(*, TableName: str) -> dict[str, Any]:  # noqa: N803
            if TableName not in self.tables:
                raise missing_error("DescribeContinuousBackups", "TableNotFoundException")
            return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": self.backups}}

        return SimpleNamespace(
            describe_table=describe,
            restore_table_to_point_in_time=restore,
            describe_continuous_backups=backups,
        )

    def _events(self) -> Any:
        return SimpleNamespace(
            describe_archive=self._describe_archive,
            put_events=lambda Entries: self.call(lambda: self._put(Entries)),  # noqa: N803
            start_replay=lambda **asked: self.call(lambda: self._start_replay(asked)),
            describe_replay=self._describe_replay,
            list_replays=self._list_replays,
        )

    def _describe_archive(self, **_: Any) -> dict[str, Any]:
        if not self.archive:
            raise missing_error("DescribeArchive")
        return self.archive

    def _put(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        assert self.closed == "all", "the marker is the last event, so nothing may change after it"
        if self.put_reply:
            return self.put_reply
        self.archived += entries
        return {"FailedEntryCount": 0}

    def _start_replay(self, asked: dict[str, Any]) -> None:
        assert asked["ReplayName"] not in self.replays
        assert [name for name in self.replays if self._end_replay(name)["State"] == "RUNNING"] == []
        assert asked["EventStartTime"] < MOMENT
        assert asked["Destination"]["FilterArns"] == [OUTPUTS["RestoreRuleArn"]]
        fate = self.fates.pop(0) if self.fates else "COMPLETED"
        self.replays[asked["ReplayName"]] = {**asked, "State": "RUNNING", "Fate": fate, "At": self.moment}
        if fate == "COMPLETED":
            for number, seconds in enumerate(self.arrivals):
                self._arriving.append((self.moment + timedelta(seconds=seconds), number))
            for entry in self.archived:
                if entry["Time"] <= asked["EventEndTime"]:
                    self._arriving.append((self.moment, json.loads(entry["Detail"])["id"]))

    def _describe_replay(self, *, ReplayName: str) -> dict[str, Any]:  # noqa: N803
        def effect() -> dict[str, Any]:
            if ReplayName not in self.replays:
                raise missing_error("DescribeReplay")
            return self._end_replay(ReplayName)

        found: dict[str, Any] = self.call(effect)
        return found

    def _list_replays(self, *, EventSourceArn: str, NextToken: str = "0") -> dict[str, Any]:  # noqa: N803
        """Return a page with one replay."""
        assert EventSourceArn == OUTPUTS["EventArchiveArn"]
        number, names = int(NextToken), list(self.replays)
        page = [self._end_replay(name) for name in names[number : number + 1]]
        more = {"NextToken": str(number + 1)} if number + 1 < len(names) else {}
        return {"Replays": page, **more}

    def _end_replay(self, name: str) -> dict[str, Any]:
        """Return a replay, ended if its time has passed."""
        replay = self.replays[name]
        end = replay["At"] + timedelta(seconds=self.replay_seconds)
        if self.moment > end:
            replay |= {"State": replay["Fate"], "ReplayEndTime": end}
        return replay

    _arriving: list[tuple[datetime, Any]] = field(default_factory=list)

    def _sqs(self) -> Any:
        return SimpleNamespace(get_queue_attributes=self._count_queue)

    def _count_queue(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        if QueueUrl == OUTPUTS["RestoreDlqUrl"]:
            return {"Attributes": {"ApproximateNumberOfMessages": str(self.dead)}}
        due = [each for each in self._arriving if each[0] <= self.moment]
        self._arriving = [each for each in self._arriving if each not in due]
        for at, event in due:
            self.sent.append((at, 1))
            if event in self.lost:
                continue
            if event in self.poison:
                self.dead += 1
                continue
            self.ledger += 1
            self.revoked.clear()  # the event makes its link active again
            if isinstance(event, str):
                self.markers.add(event)
            else:
                self.applied.add(event)
        return {"Attributes": {"ApproximateNumberOfMessages": str(len(due))}}

    def _cloudwatch(self) -> Any:
        def pages(*, StartTime: datetime, **_: Any) -> Iterator[dict[str, Any]]:  # noqa: N803
            self.sent = [each for each in self.sent if each[0] >= StartTime]
            number = self.metrics(self)
            values = [] if number is None else [float(number)]
            yield {"MetricDataResults": [{"Id": "sent", "Values": values}, {"Id": "matched", "Values": []}]}

        return SimpleNamespace(get_paginator=lambda _: SimpleNamespace(paginate=pages))

    def _lambda(self) -> Any:
        return SimpleNamespace(invoke=lambda **asked: self.call(lambda: self._invoke(asked)))

    def _invoke(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked.get("InvocationType") == "DryRun":
            return {}
        step = json.loads(asked["Payload"])
        if step["run"] != self.table:
            return _failed({"errorType": "OtherTableError", "errorMessage": f"the table is {self.table}"})
        self.steps.append(step)
        planned = self.replies.pop(0) if self.replies else None
        if isinstance(planned, Exception):
            raise planned
        if planned is not None:
            return _failed(planned)
        return {"Payload": io.BytesIO(json.dumps(self._reply(step)).encode())}

    def _reply(self, step: dict[str, Any]) -> dict[str, Any]:
        if step["step"] == "count":
            return {
                "messages": self.ledger,
                "markerFound": step.get("marker") in self.markers,
                "cursor": None,
            }
        if step["step"] == "revoke":
            cursors = [None, "1", "2"]
            page = cursors.index(step.get("cursor"))
            self.revoked.add(page)
            return {"checked": 10, "revoked": 1, "cursor": (*cursors, None)[page + 1]}
        link = {"hostId": "h", "eventTypeId": "t", "reason": "gap", "at": "2026-11-21T12:00:00Z"}
        return {"revoked": [{"linkId": f"l{n}", **link} for n in sorted(self.revoked)], "cursor": None}
