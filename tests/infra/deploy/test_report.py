"""What `make deploy` says it found, and what it is going to do, for accounts in different states."""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.deploy import adoption
from infra.deploy.adoption import Adopted, Archive, find_adopted
from infra.deploy.concurrency import (
    LambdaQuota,
    background_concurrency,
    read_quota,
    with_limited_concurrency,
)
from infra.deploy.log_role import log_role
from infra.deploy.report import (
    check_data_is_kept,
    concurrency_lines,
    found_lines,
    quota_line,
    version_line,
    will_lines,
)
from infra.deploy.table import Difference
from infra.stack.account import Account, DeployError
from infra.stack.stack_state import StackState, read_stack
from infra.stack.stacks import Change, ChangeSet, Deployment
from infra.stack.stage import Stage
from tests.infra.restore.cloud import missing_error

NOW = datetime(2026, 11, 12, 9, 30, tzinfo=UTC)
OWN = StackState(
    "admit-one-prod",
    "UPDATE_COMPLETE",
    NOW,
    {"BookingsClosed": "yes"},
    {"AlarmTopicArn": "topic"},
    {"Table": "t1", "SigningSecret": "s1", "EventBus": "b", "EventArchive": "a", "AccountLogSetting": "x"},
)
MAIL = "ops@example.com"


class Services:
    """An account that answers from a table of operations; an operation that is missing is denied.

    A function as an answer gets the arguments of the call.
    """

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def create_client(self, *_: Any, **__: Any) -> Any:
        return self

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            if operation not in self.answers:
                name = operation.title().replace("_", "")
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, name)
            answer = self.answers[operation]
            if isinstance(answer, Exception):
                raise answer
            return answer(**arguments) if callable(answer) else answer

        return call

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [getattr(self, operation)()])


def _account(**answers: Any) -> Account:
    return Account(Services(**answers), "123456789012", "eu-central-1")


def _found(
    account: Account, stack: StackState, adopted: Adopted, template: Mapping[str, Any], **parameters: str
) -> list[str]:
    return list(found_lines(account, Stage("prod", parameters), stack, adopted, template))


def test_an_empty_account(template: dict[str, Any]) -> None:
    nothing = StackState("admit-one-prod")
    assert _found(_account(), nothing, Adopted(), template) == [
        "no stack admit-one-prod",
        "no table: the stack creates an empty one",
        "no signing keys: the stack creates them",
        "no bus and no archive: the stack creates them",
        "alarms: nobody is notified; set AlarmEmail in infra/stages/prod.json",
    ]
    lines = _found(_account(), nothing, Adopted(), template, AlarmEmail=MAIL)
    assert lines[-1] == f"alarms: {MAIL} gets an email from AWS, and has to confirm it once"


def test_a_stack_with_its_own_resources_and_credentials_that_may_read_little(
    template: dict[str, Any],
) -> None:
    assert _found(_account(), OWN, Adopted(), template, AlarmEmail=MAIL) == [
        "stack admit-one-prod UPDATE_COMPLETE, last changed 2026-11-12 09:30 UTC; bookings are closed",
        "table: unknown (no permission for DescribeTable)",
        "signing keys: the stack's own secret s1",
        "bus and archive: the stack's own",
        "alarms: unknown (no permission for ListSubscriptionsByTopic)",
    ]
    assert read_quota(_account()) is None
    assert quota_line(None) == "Lambda's quota: unknown (no permission for GetAccountSettings)"


@pytest.mark.parametrize(
    ("archive", "line"),
    [
        ({"State": "ENABLED"}, "bus and archive: the stack's own"),
        (missing_error("DescribeArchive"), "bus: the stack's own; ITS ARCHIVE ours IS GONE"),
    ],
)
def test_an_archive_that_is_gone_is_reported(template: dict[str, Any], archive: Any, line: str) -> None:
    """P1: CloudFormation does not notice it, and the next restore could replay nothing."""
    stack = dataclasses.replace(OWN, outputs={**OWN.outputs, "EventArchiveName": "ours"})
    assert _found(_account(describe_archive=archive), stack, Adopted(), template)[3].startswith(line)


def test_adopted_resources(template: dict[str, Any]) -> None:
    adopted = Adopted(
        {"TableName": "t2", "ItemCount": 41_002},
        (Difference("the index byLabel is missing", "update_table"), Difference("the index x is not in it")),
        "arn:secret",
        {"Name": "admit-one-prod-events", "Arn": "arn:bus"},
        Archive("all", "arn:archive", 1_204, {"RetentionDays": 40}),
    )
    failed = StackState("admit-one-prod", "ROLLBACK_COMPLETE", NOW)
    assert _found(_account(), failed, adopted, template)[:-1] == [
        "stack admit-one-prod ROLLBACK_COMPLETE, last changed 2026-11-12 09:30 UTC",
        "table t2 (existing, 41,002 items): the index byLabel is missing; the index x is not in it",
        "signing keys: existing secret arn:secret",
        "bus admit-one-prod-events and archive all: kept from an earlier stack, 1,204 events",
    ]
    added = _change_set(Change("Add", "A", "X", replaces=False), creates=True)
    assert list(will_lines(Stage("prod"), adopted, added, "watch no alarms")) == [
        "update the table t2: the index byLabel is missing",
        "update the archive all: RetentionDays",
        "create the stack admit-one-prod: 1 resources",
        "watch no alarms",
    ]


def test_a_bus_that_a_failed_stack_still_owns_is_not_adopted(template: dict[str, Any]) -> None:
    """It is deleted with that stack, and the next one would refer to a bus that is gone."""
    bus = {"Name": "admit-one-prod-events", "Arn": "arn:bus"}
    owner = _resource("admit-one-prod", bus["Name"], "CREATE_COMPLETE", "EventBus", 100)
    account = _account(describe_event_bus=bus, describe_stack_resources=owner, list_archives={"Archives": []})
    failed = StackState("admit-one-prod", "ROLLBACK_FAILED", NOW, resources={"EventBus": bus["Name"]})
    assert find_adopted(account, Stage("prod"), failed, template).bus is None
    kept = _account(describe_event_bus=bus, describe_stack_resources={"StackResources": []},
                    list_archives={"Archives": []})  # fmt: skip
    assert find_adopted(kept, Stage("prod"), StackState("admit-one-prod"), template).bus == bus


@pytest.mark.parametrize("others", [1, 100])
@pytest.mark.parametrize(
    ("owner", "logical_id", "status", "is_refused"),
    [
        ("admit-one-other", "Table", "CREATE_COMPLETE", True),
        ("admit-one-other", "RenamedTable", "CREATE_COMPLETE", True),
        ("admit-one-prod", "Table", "CREATE_COMPLETE", False),
        ("data-tables", "Bookings", "CREATE_COMPLETE", False),
        ("admit-one-other", "Table", "DELETE_SKIPPED", False),
        ("admit-one-other", "RenamedTable", "DELETE_SKIPPED", False),
    ],
)
def test_a_table_of_another_stage_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    template: dict[str, Any],
    owner: str,
    logical_id: str,
    status: str,
    is_refused: bool,
    others: int,
) -> None:
    """Two stages on one table would publish each change twice. A deleted stack owns nothing, although AWS lists it.

    A team may keep the table in a stack of its own.
    """
    monkeypatch.setattr(adoption, "compare_table", lambda *_: [])
    gone = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "DescribeEventBus")
    account = _account(
        describe_table={"Table": {"TableName": "t1"}},
        describe_stack_resources=_resource(owner, "t1", status, logical_id, others),
        describe_event_bus=gone,
    )
    stage, stack = Stage("prod", table="t1"), StackState("admit-one-prod")
    if is_refused:
        with pytest.raises(DeployError, match="The table t1 belongs to the stack admit-one-other"):
            find_adopted(account, stage, stack, template)
    else:
        adopted = find_adopted(account, stage, stack, template)
        assert adopted.table == {"TableName": "t1"}
        line = _found(account, stack, adopted, template)[1]
        assert ("of the stack data-tables" in line) == (owner == "data-tables"), line


def _resource(stack: str, name: str, status: str, logical_id: str, others: int = 1) -> Callable[..., Any]:
    """Return DescribeStackResources of a stack with other resources: it lists at most 100, unless it is filtered."""
    kept = "DELETE_COMPLETE" if status == "DELETE_SKIPPED" else "CREATE_COMPLETE"
    each = {"StackName": stack, "ResourceStatus": kept}
    whole = [
        {**each, "LogicalResourceId": f"A{n}", "PhysicalResourceId": f"another{n}"} for n in range(others)
    ]
    whole.append(
        {**each, "LogicalResourceId": logical_id, "PhysicalResourceId": name, "ResourceStatus": status}
    )

    def describe(PhysicalResourceId: str, LogicalResourceId: str | None = None) -> dict[str, Any]:  # noqa: N803
        assert PhysicalResourceId in {resource["PhysicalResourceId"] for resource in whole}
        found = [x for x in whole if LogicalResourceId in {None, x["LogicalResourceId"]}]
        if not found:
            error: Any = {
                "Code": "ValidationError",
                "Message": f"Resource {LogicalResourceId} does not exist",
            }
            raise ClientError({"Error": error}, "DescribeStackResources")
        return {"StackResources": found[:100]}

    return describe


@pytest.mark.parametrize(
    ("subscriptions", "words"),
    [
        ([], "is not subscribed yet"),
        (
            [{"Endpoint": MAIL, "SubscriptionArn": "PendingConfirmation"}],
            "nobody is notified: ops@example.com has",
        ),
        ([{"Endpoint": "b@example.com", "SubscriptionArn": "arn:aws:sns"}], "is not subscribed yet"),
        ([{"Endpoint": MAIL, "SubscriptionArn": "arn:aws:sns"}], "alarms: ops@example.com"),
    ],
)
def test_whether_somebody_gets_the_alarms(
    template: dict[str, Any], subscriptions: list[dict[str, str]], words: str
) -> None:
    """AWS sends alarms only to an address that was confirmed."""
    account = _account(list_subscriptions_by_topic={"Subscriptions": subscriptions})
    line = _found(account, OWN, Adopted(), template, AlarmEmail=MAIL)[-1]
    assert words in line
    assert ("nobody" in line or "yet" in line) == (words != "alarms: ops@example.com")


def _change_set(*changes: Change, creates: bool = False) -> ChangeSet:
    return ChangeSet(Deployment(name="admit-one-prod", bucket="b"), "c", creates=creates, changes=changes)


def test_the_changes_of_a_stack() -> None:
    changes = [Change("Add", f"A{number}", "X", replaces=False) for number in range(3)]
    changes += [
        Change("Modify", "M", "X", replaces=False),
        Change("Modify", "Waf", "AWS::WAFv2::WebACL", replaces=True),
    ]
    changes.append(Change("Remove", "Old", "AWS::Lambda::Function", replaces=False))
    lines = will_lines(Stage("prod"), Adopted(), _change_set(*changes), "watch 2 alarms for 5 minutes")
    assert list(lines) == [
        "change the stack admit-one-prod: 3 added, 2 modified, 1 removed",
        "replace Waf (AWS::WAFv2::WebACL)",
        "remove Old (AWS::Lambda::Function)",
        "watch 2 alarms for 5 minutes",
    ]
    assert list(will_lines(Stage("prod"), Adopted(), None, "")) == [
        "change nothing in the stack admit-one-prod"
    ]


def test_a_resource_with_data_is_neither_removed_nor_replaced_unless_its_successor_is_adopted() -> None:
    """P1: an empty table instead of the one in use would make every used link unknown, and no restore would notice."""
    change_set = _change_set(
        Change("Remove", "Table", "AWS::DynamoDB::Table", replaces=False),
        Change("Modify", "MailDlq", "AWS::SQS::Queue", replaces=True),
        Change("Modify", "EventBus", "AWS::Events::EventBus", replaces=False),
        Change("Remove", "WebhookQueue", "AWS::SQS::Queue", replaces=False),
    )
    with pytest.raises(DeployError) as raised:
        check_data_is_kept(change_set, Adopted(), OWN)
    assert "  Table (AWS::DynamoDB::Table): removed\n  MailDlq (AWS::SQS::Queue): replaced\n" in str(
        raised.value
    )
    assert "EventBus" not in str(raised.value)
    adopted = Adopted(table={"TableName": "t2"})
    check_data_is_kept(_change_set(change_set.changes[0], *change_set.changes[2:]), adopted, OWN)


def test_a_stack_that_uses_an_existing_resource_gets_no_new_one() -> None:
    """P1: with new signing keys, no link works; in an empty table, no link is used."""
    added = [Change("Add", name, "X", replaces=False) for name in ("Table", "SigningSecret", "MailDlq")]
    uses = dataclasses.replace(OWN, outputs={"TableName": "t2", "SigningSecretId": "s2"})
    with pytest.raises(DeployError) as raised:
        check_data_is_kept(_change_set(*added), Adopted(), uses)
    assert (
        "  Table (X): a new one in place of t2\n  SigningSecret (X): a new one in place of s2\nNothing"
        in str(raised.value)
    )
    check_data_is_kept(_change_set(*added, creates=True), Adopted(), uses)
    check_data_is_kept(_change_set(*added), Adopted(), OWN)


@pytest.mark.parametrize(
    ("parameters", "stack", "answer", "value", "words"),
    [
        ({}, StackState("s"), {}, "make", "none; the stack creates one"),
        ({}, StackState("s"), {"cloudwatchRoleArn": "theirs"}, "exists", "theirs, which stays"),
        ({}, OWN, {"cloudwatchRoleArn": "mine"}, "make", "mine, the stack's own"),
        ({"ApiLogRole": "make"}, StackState("s"), {"cloudwatchRoleArn": "theirs"}, "make", "file says make"),
        ({}, OWN, None, "make", "unknown (no permission for GetAccount), the stack's own"),
        (
            {},
            StackState("s", "UPDATE_COMPLETE", None, {"ApiLogRole": "exists"}),
            None,
            "exists",
            "stays exists",
        ),
        (
            {"ApiLogRole": "exists"},
            StackState("s"),
            None,
            "exists",
            "unknown (no permission for GetAccount); the",
        ),
    ],
)
def test_the_log_role(
    parameters: dict[str, str], stack: StackState, answer: dict[str, str] | None, value: str, words: str
) -> None:
    """The account's role may be another team's; a stack that set it must not drop it."""
    account = _account() if answer is None else _account(get_account=answer)
    found, line = log_role(account, Stage("prod", parameters), stack)
    assert found == value
    assert words in line


def test_a_log_role_that_cannot_be_read_is_not_replaced() -> None:
    """An account has one role for the logs of all its APIs: another team would lose its logs."""
    with pytest.raises(DeployError, match=r"Set ApiLogRole in infra/stages/prod\.json: exists if"):
        log_role(_account(), Stage("prod"), StackState("s"))


@pytest.mark.parametrize(
    ("unreserved", "background", "deliveries", "commands", "stream"),
    [
        (10, 17, 2, 2, 1),
        (50, 25, 3, 3, 3),
        (100, 50, 7, 8, 7),
        (200, 100, 46, 10, 10),
        (1000, 104, 50, 10, 10),
    ],
)
def test_queues_use_at_most_half_of_lambdas_quota(
    template: dict[str, Any], unreserved: int, background: int, deliveries: int, commands: int, stream: int
) -> None:
    """Otherwise a burst of webhooks gives callers of the API a 429. Lambda accepts no limit below 2."""
    limited = with_limited_concurrency(template, LambdaQuota(unreserved, unreserved))
    resources = limited["Resources"]
    assert background_concurrency(limited) == background
    assert (
        resources["WebhookDeliverMapping"]["Properties"]["ScalingConfig"]["MaximumConcurrency"] == deliveries
    )
    assert resources["CommandMapping"]["Properties"]["ScalingConfig"]["MaximumConcurrency"] == commands
    assert resources["OutboxStream"]["Properties"]["ParallelizationFactor"] == stream
    assert with_limited_concurrency(template, None) == template
    lines = list(concurrency_lines(LambdaQuota(unreserved, unreserved), template, limited))
    assert len(lines) == {10: 2, 1000: 0}.get(unreserved, 1)


def test_the_time_of_a_stack_is_in_utc() -> None:
    """Botocore returns it in the time zone of the machine, and the report says UTC."""
    updated = NOW.astimezone(timezone(timedelta(hours=1)))
    cloudformation = SimpleNamespace(
        describe_stacks=lambda **_: {
            "Stacks": [{"StackStatus": "UPDATE_COMPLETE", "LastUpdatedTime": updated}]
        },
        get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: []),
    )
    assert f"{read_stack(cloudformation, 'admit-one-prod').changed:%H:%M}" == "09:30"


@pytest.mark.parametrize(
    ("stack", "line"),
    [
        (StackState("s"), "version: 1.2.0 will be the first"),
        (StackState("s", "UPDATE_COMPLETE"), "version: older than 0.2.0; will be 1.2.0"),
        (StackState("s", "UPDATE_COMPLETE", outputs={"Version": "1.1.9"}), "version: 1.1.9; will be 1.2.0"),
        (
            StackState("s", "UPDATE_COMPLETE", outputs={"Version": "1.2.0.dev0"}),
            "version: 1.2.0.dev0; will be 1.2.0",
        ),
        (StackState("s", "UPDATE_COMPLETE", outputs={"Version": "1.10.0"}), "will be 1.2.0, an EARLIER one"),
    ],
)
def test_the_versions_in_use_and_to_deploy_are_printed(stack: StackState, line: str) -> None:
    """Deploying an earlier version is allowed, but the report points it out."""
    assert line in version_line(stack, {"Outputs": {"Version": {"Value": "1.2.0"}}})
