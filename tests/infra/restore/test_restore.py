"""`make restore` against ministack: API closed, table swapped, archive replayed, API opened (P1).

ministack ignores the restore time and copies the current table, so a test takes the copy at the chosen moment and lets
the restore continue with it. ministack replays to every rule of the bus and not only to the named one, so these tests
can't check that other rules receive nothing.
"""

import dataclasses
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
from botocore.client import BaseClient

from chalicelib import bootstrap
from chalicelib.domain.causes import Cause
from chalicelib.domain.team.api_keys import ApiKey, Role
from chalicelib.service.restore import ACTOR
from chalicelib.service.team.authenticate import make_key, revoke_key
from chalicelib.settings import read_settings
from infra.deploy import deploy
from infra.deploy.deployer_policy import Target, command_policy, restore_policy
from infra.local.aws import local_client
from infra.local.engines.ministack import Ministack
from infra.local.template import fit_for_ministack
from infra.operate import redrive
from infra.package.build import Package
from infra.restore import applied, command, progress, replay, restore, revocations, revoked_list
from infra.restore.applied import Applied
from infra.restore.revocations import copy_revocations
from infra.stack import stage as stage_file, unpublished
from infra.stack.account import Account, DeployError, find_table, open_account
from infra.stack.existing_resources import use_existing
from infra.stack.stack_state import StackState
from infra.stack.stacks import Outcome, outputs
from infra.stack.stage import Closed, Stage, read_stage, save_stage, stage_settings
from tests.support.app import ALL_DAY
from tests.support.waiting import LIMIT, until

STACK = "admit-one-dev"
# The IAM actions of operations that have another name.
OTHER_ACTIONS = {
    ("apigateway", "GetAccount"): ("GET",),
    ("dynamodb", "TransactWriteItems"): ("PutItem", "UpdateItem"),
    ("lambda", "Invoke"): ("InvokeFunction",),
    ("s3", "ListObjectsV2"): ("ListBucket",),
    ("s3", "HeadBucket"): ("ListBucket",),
    ("s3", "HeadObject"): ("GetObject",),
    ("s3", "GetPublicAccessBlock"): ("GetBucketPublicAccessBlock",),
    ("s3", "GetBucketLifecycleConfiguration"): ("GetLifecycleConfiguration",),
    ("s3", "PutBucketLifecycleConfiguration"): ("PutLifecycleConfiguration",),
}
CAUSE = Cause("system:test", "t")
MOMENT = datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.fixture
def account(packaged: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ministack]:
    """An account for one test, with the stage `dev`."""
    with Ministack() as engine:
        monkeypatch.setenv("AWS_ENDPOINT_URL", engine.endpoint_url)
        monkeypatch.setattr("infra.stack.stacks.POLL_SECONDS", 0.05)
        monkeypatch.setattr(stage_file, "STAGES", tmp_path / "stages")
        monkeypatch.setattr(restore, "SETTLE_SECONDS", 0)
        monkeypatch.setattr(replay, "POLL_SECONDS", 0.2)
        monkeypatch.setattr(applied, "POLL_SECONDS", 0.2)
        monkeypatch.setattr(applied, "QUIET_SECONDS", 1.0)
        monkeypatch.setattr(applied, "RETRY_SECONDS", 0.0)
        # ministack has no metrics of functions and queues.
        monkeypatch.setattr(unpublished, "_lag", lambda *_: 0.0)
        monkeypatch.setattr(applied, "sent_messages", lambda *_: 1)
        monkeypatch.setattr(applied, "STEADY_SECONDS", 0.0)
        monkeypatch.setattr(revoked_list, "RESTORES", tmp_path / "restores")
        path = tmp_path / "template.json"
        archive = {"Arn": "arn:aws:events:us-east-1:000000000000:archive/all", "ArchiveName": "all"}
        whole = use_existing(packaged.read_template(), "EventArchive", "all", archive)
        path.write_text(json.dumps(fit_for_ministack(whole)))
        made = dataclasses.replace(packaged, template=path)
        monkeypatch.setattr(deploy, "make_package", lambda *_: made)
        monkeypatch.setattr(command, "make_package", lambda *_: made)
        assert deploy.main(["deploy", "--stage", "dev"]) == 0
        bus = outputs(local_client("cloudformation", engine.endpoint_url), STACK)["EventBusArn"]
        # ministack's CloudFormation knows no archives; the service does.
        local_client("events", engine.endpoint_url).create_archive(ArchiveName="all", EventSourceArn=bus)
        yield engine


@pytest.fixture
def api(account: Ministack) -> Iterator[httpx.Client]:
    """The deployed API, called with an admin key that is older than the backup."""
    settings = stage_settings(open_account(), read_stage("dev"))
    world = bootstrap.compose(read_settings(settings))
    key = make_key(world, role=Role.ADMIN, host_id=None, name="t", cause=CAUSE)
    api_id = outputs(local_client("cloudformation", account.endpoint_url), STACK)["RestAPIId"]
    url = f"{account.endpoint_url}/restapis/{api_id}/api/_user_request_"
    headers = {"Authorization": f"Bearer {key.secret}", "Accept": "application/json"}
    with httpx.Client(base_url=url, headers=headers, timeout=LIMIT, trust_env=False) as client:
        yield client


def _links(api: httpx.Client, count: int) -> list[str]:
    host = api.post("/v1/hosts", json={"name": "A", "email": "a@hosts.example", "timeZone": "UTC"}).json()
    body = {"hostId": host["hostId"], "title": "T", "durationMinutes": 30, "schedule": ALL_DAY}
    event_type = api.post("/v1/event-types", json=body).json()
    asked = {"eventTypeId": event_type["eventTypeId"], "count": count}
    links = api.post("/v1/links", json=asked).json()["links"]
    return [link["url"].rpartition("/")[2] for link in links]


def _redeem(api: httpx.Client, token: str, hours: int) -> httpx.Response:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=hours)
    person = {"name": "Grace", "email": "grace@example.com"}
    return api.post(
        f"/s/{token}/redeem", json={"start": start.isoformat(), "timeZone": "UTC", "invitee": person}
    )


def _archived(account: Ministack, least: int) -> None:
    """Wait until the bus's archive has that many events; the stream's consumer is asynchronous."""
    events = local_client("events", account.endpoint_url)
    count = until(
        lambda: events.describe_archive(ArchiveName="all")["EventCount"], lambda found: found >= least
    )
    assert count >= least, "events did not reach the archive"


def _refused_while_a_consumer_is_behind(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Check the refusal: records that the consumer has not read yet would be lost with the old stream."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "MARGIN", timedelta(seconds=1))
        patch.setattr(unpublished, "_lag", lambda *_: 120_000.0)
        assert command.main(arguments) == 1
        assert "outbox is 2 minutes behind" in capsys.readouterr().err


def _refused_while_the_outbox_has_crashes(
    account: Ministack, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Check the refusal: records that crashed the outbox were never published."""
    s3 = local_client("s3", account.endpoint_url)
    bucket = outputs(local_client("cloudformation", account.endpoint_url), STACK)["OutboxCrashesBucketName"]
    s3.put_object(Bucket=bucket, Key="crash", Body=b"{}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "MARGIN", timedelta(seconds=1))
        assert command.main(arguments) == 1
        assert (
            "the outbox crashed on 1 stream batches; process them with make redrive-outbox"
            in capsys.readouterr().err
        )
    s3.delete_object(Bucket=bucket, Key="crash")


def _killed_before_the_swap(arguments: list[str]) -> None:
    """Run the command in a process, and kill that when the stage's file, but not the stack, names the new table."""

    def save(stage: Stage, *, closed: Closed) -> None:
        save_stage(stage, closed=closed)
        if stage.restore is not None and stage.table == stage.restore.table:
            os.kill(os.getpid(), signal.SIGKILL)

    process = os.fork()
    if process == 0:
        pytest.MonkeyPatch().setattr(progress, "save_stage", save)
        command.main(arguments)
        os._exit(1)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status)


@contextmanager
def _recorded() -> Iterator[set[str]]:
    """Yield the IAM actions of the calls to AWS within the block."""
    actions, call = set[str](), BaseClient._make_api_call  # type: ignore[attr-defined]

    def record(client: Any, operation: str, asked: dict[str, Any]) -> Any:
        service = client.meta.service_model.signing_name.replace("monitoring", "cloudwatch")
        found = OTHER_ACTIONS.get((service, operation), (operation,))
        actions.update(f"{service}:{action}" for action in found)
        return call(client, operation, asked)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", record)
        yield actions


def test_a_link_used_after_the_backup_is_used_after_the_restore(
    account: Ministack, api: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """P1: through the deployed API; a link that was booked after the backup gives no second booking."""
    spent, fresh = _links(api, 2)
    world = bootstrap.compose(read_settings(stage_settings(open_account(), read_stage("dev"))))
    leaked = make_key(world, role=Role.ADMIN, host_id=None, name="leaked", cause=CAUSE)
    dynamodb = local_client("dynamodb", account.endpoint_url)
    source = outputs(local_client("cloudformation", account.endpoint_url), STACK)["TableName"]
    copy = f"{source}-restored-by-hand"
    dynamodb.restore_table_to_point_in_time(SourceTableName=source, TargetTableName=copy)
    later = make_key(world, role=Role.ADMIN, host_id=None, name="later", cause=CAUSE)
    moment = datetime.now(UTC)
    revoke_key(world, leaked.key.key_id, CAUSE)
    assert _redeem(api, spent, 48).status_code == 201
    _archived(account, 4)  # two links created, one link used, one booking confirmed

    # The archive is a few minutes old, so it does not cover the margin: the restore reports this and changes nothing.
    arguments = ["--stage", "dev", "--to", moment.isoformat(), "--table", copy]
    assert command.main(arguments) == 1
    output = capsys.readouterr().err
    assert "the archive of events begins at" in output
    assert "GAP=revoke" in output
    assert outputs(local_client("cloudformation", account.endpoint_url), STACK)["TableName"] == source

    _refused_while_a_consumer_is_behind(arguments, capsys)
    _refused_while_the_outbox_has_crashes(account, arguments, capsys)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "MARGIN", timedelta(seconds=1))
        _killed_before_the_swap(arguments)
        assert _redeem(api, fresh, 72).status_code == 503
        assert json.loads((stage_file.STAGES / "dev.json").read_text())["restore"]["table"] == copy
        assert command.main(["--stage", "dev"]) == 0
    output = capsys.readouterr().out
    assert f"Deploying the stack with the table {copy}" in output
    assert "; 0 revoked" in output
    assert "that stay revoked: 1." in output
    assert f"{later.key.key_id} admin - later" in output
    assert api.get("/v1/hosts", headers={"Authorization": f"Bearer {leaked.secret}"}).status_code == 401
    assert api.get("/v1/hosts").status_code == 200

    assert json.loads((stage_file.STAGES / "dev.json").read_text()) == {"parameters": {}, "table": copy}
    assert command.main(["--stage", "dev", "--report"]) == 0
    listed = revoked_list.RESTORES / "dev" / copy / "revoked.csv"
    assert f"The restore to {copy}: 0 revoked. They are in {listed}" in capsys.readouterr().out
    refused = _redeem(api, spent, 72)
    assert (refused.status_code, refused.json()["type"]) == (410, "urn:admit-one:problem:link-used")
    assert _redeem(api, fresh, 48).status_code == 409  # the slot is taken
    assert _redeem(api, fresh, 72).status_code == 201
    table = dynamodb.describe_table(TableName=copy)["Table"]
    assert table["StreamSpecification"]["StreamEnabled"]
    assert table["DeletionProtectionEnabled"]


def test_a_restore_that_fails_after_the_swap_keeps_the_api_closed_and_can_be_resumed(
    account: Ministack, api: httpx.Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """P1: neither a deployment nor resuming points the stage at another table, or opens the API too soon."""
    spent, fresh = _links(api, 2)
    dynamodb = local_client("dynamodb", account.endpoint_url)
    cloudformation = local_client("cloudformation", account.endpoint_url)
    source = outputs(cloudformation, STACK)["TableName"]
    copy = f"{source}-restored-by-hand"
    world = bootstrap.compose(read_settings(stage_settings(open_account(), read_stage("dev"))))
    leaked = make_key(world, role=Role.ADMIN, host_id=None, name="leaked", cause=CAUSE)
    dynamodb.restore_table_to_point_in_time(SourceTableName=source, TargetTableName=copy)
    moment = datetime.now(UTC)
    assert _redeem(api, spent, 48).status_code == 201
    _archived(account, 4)
    monkeypatch.setattr(replay, "MARGIN", timedelta(seconds=1))
    arguments = ["--stage", "dev", "--to", moment.isoformat(), "--table", copy]

    def fails(*_: object) -> None:
        raise DeployError("The replay ended as FAILED")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restore, "replay_events", fails)
        with _recorded() as first:
            assert command.main(arguments) == 1
    assert "ended as FAILED" in capsys.readouterr().err
    tables = dynamodb.list_tables()["TableNames"]

    assert deploy.main(["deploy", "--stage", "dev"]) == 0
    assert outputs(cloudformation, STACK)["TableName"] == copy
    assert _redeem(api, spent, 72).status_code == 503

    # Without the stage's file, the restore reads the current table from the stack.
    (stage_file.STAGES / "dev.json").unlink()
    over: list[str | None] = []
    monkeypatch.setattr(restore, "deploy", _seen(over))
    # P9: a key is revoked in the old table during the swap. DynamoDB returns a restored table's source table.
    revoke_key(world, leaked.key.key_id, CAUSE)
    restored_from = {
        "RestoreSummary": {"SourceTableArn": f"arn:aws:dynamodb:us-east-1:000000000000:table/{source}"}
    }
    monkeypatch.setattr(
        revocations, "find_table", lambda *asked: {**(find_table(*asked) or {}), **restored_from}
    )
    with _recorded() as used:
        assert command.main(arguments) == 0
    assert "that stay revoked: 1." in capsys.readouterr().out
    _check_permissions(first | used)
    assert api.get("/v1/hosts", headers={"Authorization": f"Bearer {leaked.secret}"}).status_code == 401
    assert over == [copy, copy, copy]
    assert dynamodb.list_tables()["TableNames"] == tables
    assert outputs(cloudformation, STACK)["TableName"] == copy
    assert json.loads((stage_file.STAGES / "dev.json").read_text()) == {"parameters": {}, "table": copy}
    assert _redeem(api, spent, 72).status_code == 410
    assert _redeem(api, fresh, 72).status_code == 201


def _check_permissions(used: set[str]) -> None:
    """Check that the printed permissions are enough, and no others are listed."""
    target = Target("dev")
    deployer, restorer = (
        {action for statement in policy["Statement"] for action in statement["Action"]}
        for policy in (command_policy(target), restore_policy(target))
    )
    assert used - deployer - restorer == {"sts:GetCallerIdentity"}, "it needs no permission"
    of_dynamodb = {"BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Scan"}
    of_earlier_run = {"RestoreTableToPointInTime"}
    assert restorer - used == {f"dynamodb:{action}" for action in of_dynamodb | of_earlier_run}


def _seen(over: list[str | None]) -> Callable[..., Outcome]:
    """Return a `deploy` that records the table of each deployment in `over`."""

    def seen(account: Account, stage: Stage, package: Package, **how: Any) -> Outcome:
        over.append(stage.table)
        # Another deployment at this time would read these values from the stage file.
        kept = read_stage(stage.name)
        assert (kept.table, kept.parameters.get("BookingsClosed")) == (stage.table, "all")
        return deploy.deploy(account, stage, package, **how)

    return seen


def test_without_the_old_table_the_report_says_to_revoke_keys_first(
    ministack: Ministack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P9: the revocations since the backup are lost, so the report starts with a warning in capitals."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack.endpoint_url)
    assert copy_revocations(open_account(), "no-such-table", "another", MOMENT) is None
    loud, what_to_do = command._key_report("prod", MOMENT, None)
    assert "REVOKED SINCE 2026-11-21 10:00 UTC ARE ACTIVE AGAIN" in loud
    assert "make keys STAGE=prod" in what_to_do
    # A restored table does not contain later revocations of its source table, and here the source is unknown.
    monkeypatch.setattr(revocations, "find_table", lambda *_: {})
    assert revocations.revocation_sources(open_account(), {"TableName": "copy"}, "copy") == []
    assert revocations.copy_all_revocations(open_account(), [], "copy", MOMENT) is None


def test_a_key_that_was_created_and_revoked_after_the_backup_is_not_reported_as_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P9: its owner must not get a new key; the owner of a valid key that is lost must."""
    at = datetime(2026, 11, 21, 10, tzinfo=UTC)
    good = ApiKey(key_id="good", role=Role.ADMIN, host_id=None, name="good", created_at=at)
    bad = msgspec.structs.replace(good, key_id="bad", revoked_at=at)
    tables = {"old": [good, bad], "new": []}
    monkeypatch.setattr(revocations, "find_table", lambda *_: {})
    monkeypatch.setattr(revocations, "Table", lambda name, **_: name)
    monkeypatch.setattr(revocations, "ApiKeys", lambda name: SimpleNamespace(all=lambda: tables[name]))
    account = Account(None, "000000000000", "us-east-1")
    assert copy_revocations(account, "old", "new", at) == revocations.CopiedRevocations(
        revoked=[], missing=[good]
    )


def test_a_restore_without_the_old_table_does_not_close_the_api_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """P1: nothing can be booked without a table, and a deployment over a missing table fails."""
    monkeypatch.setattr(stage_file, "STAGES", tmp_path)
    path = tmp_path / "prod.json"
    path.write_text(json.dumps({"table": "gone", "parameters": {"LogRetentionDays": 90}}))
    session = SimpleNamespace(create_client=lambda *_, **__: None)
    answers: dict[str, Any] = {
        "open_account": Account(session, "000000000000", "us-east-1"), "make_package": None,
        "stack_outputs": {"TableName": "gone", "RestoreQueueUrl": "q"}, "revocation_sources": [],
        "copy_all_revocations": None, "find_gaps": [], "complete_table": None, "replay_events": None,
        "wait_until_applied": Applied(1, 1, complete=True), "revoke_links": [], "list_revoked": [],
        "put_marker": None, "window_start": MOMENT, "read_archive": {"State": "ENABLED"},
        "restore_table": None, "count_messages": (0, False), "wait_for_replays": None, "wait_for_earlier": None,
        "check_permissions": None, "check_queues": None, "restored_moment": MOMENT,
    }  # fmt: skip
    for name, answer in answers.items():
        module = restore if hasattr(restore, name) else command
        monkeypatch.setattr(module, name, lambda *_, _answer=answer, **__: _answer)
    monkeypatch.setattr(restore, "find_table", lambda _, name: {} if name == "copy" else None)
    monkeypatch.setattr(restore, "SETTLE_SECONDS", 0)
    monkeypatch.setattr(revoked_list, "RESTORES", tmp_path / "restores")
    deployed: list[tuple[str | None, str, str | None, int]] = []

    def stack(*_: object) -> StackState:
        table, closed = deployed[-1][:2] if deployed else ("gone", "no")
        outputs = {"TableName": str(table)}
        return StackState("admit-one-prod", "UPDATE_COMPLETE", None, {"BookingsClosed": closed}, outputs)

    monkeypatch.setattr(restore, "read_stack", stack)

    def put(
        _account: Account, stage: Stage, _package: Package, *, bucket: str | None, watch_minutes: int
    ) -> None:
        kept = read_stage("prod")
        deployed.append((stage.table, stage.parameters["BookingsClosed"], bucket, watch_minutes))
        assert (kept.table, kept.parameters["BookingsClosed"]) == ("copy", "all")

    monkeypatch.setattr(restore, "deploy", put)
    arguments = ["--stage", "prod", "--to", "2026-01-01T00:00:00Z", "--table", "copy", "--bucket", "mine"]
    assert command.main(arguments) == 0
    assert deployed == [("copy", "all", "mine", 0), ("copy", "no", "mine", 0)]
    assert json.loads(path.read_text()) == {"table": "copy", "parameters": {"LogRetentionDays": 90}}
    assert "ARE ACTIVE AGAIN" in capsys.readouterr().out


def test_a_stack_without_a_required_output_must_be_deployed_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says so, before any change."""
    session = SimpleNamespace(create_client=lambda *_, **__: None)
    account = Account(session, "000000000000", "us-east-1")
    monkeypatch.setattr(stage_file, "stack_status", lambda *_: "UPDATE_COMPLETE")
    monkeypatch.setattr(
        stage_file,
        "outputs",
        lambda *_: {"OutboxFunction": "f", "OutboxDlqUrl": "d", "OutboxRetryQueueArn": "r"},
    )
    monkeypatch.setattr(redrive, "open_account", lambda: account)
    assert redrive.main(["--stage", "dev"]) == 1
    assert "no output OutboxCrashesBucketName" in capsys.readouterr().err
    monkeypatch.setattr(command, "open_account", lambda: account)
    monkeypatch.setattr(command, "make_package", lambda *_: None)
    monkeypatch.setattr(restore, "read_stack", lambda *_: StackState(STACK, "UPDATE_COMPLETE"))
    monkeypatch.setattr(replay, "window_start", lambda *_: MOMENT)
    monkeypatch.setattr(replay, "read_archive", lambda *_: {"CreationTime": 0, "State": "ENABLED"})
    monkeypatch.setattr(unpublished, "waiting_messages", lambda *_: 0)
    assert command.main(["--stage", "dev", "--to", "2026-01-01T00:00:00Z"]) == 1
    assert "deploy the stage first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("yesterday", "not a moment"),
        ("2026-01-01T00:00:00", "offset"),
        ("2999-01-01T00:00:00Z", "in the future"),
    ],
)
def test_an_invalid_time_is_refused(to: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command fails before any call to AWS."""
    assert command.main(["--stage", "dev", "--to", to]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("actor", "mailed"), [("invitee", True), (ACTOR, False)])
def test_events_of_a_restore_send_no_emails(
    ministack: Ministack, resources: dict[str, Any], actor: str, mailed: bool
) -> None:
    """The writes of a restore become events, but the hosts were emailed when the changes happened."""
    pattern = resources["MailRule"]["Properties"]["EventPattern"]
    event = {
        "id": "1", "account": "1", "region": "us-east-1", "resources": [], "time": "2026-11-21T10:00:00Z",
        "source": "admit-one", "detail-type": "booking.confirmed", "detail": {"actor": actor},
    }  # fmt: skip
    events = local_client("events", ministack.endpoint_url)
    answer = events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))
    assert answer["Result"] is mailed


@pytest.mark.parametrize(
    ("source", "replayed", "matching"),
    [
        ("admit-one", False, {"MailRule", "WebhookRule", "EventArchive"}),
        ("admit-one", True, {"RestoreRule", "EventArchive"}),
        ("admit-one.restore", False, {"EventArchive"}),
        ("admit-one.restore", True, {"RestoreRule", "EventArchive"}),
    ],
)
def test_replayed_events_reach_only_the_restore(
    ministack: Ministack, resources: dict[str, Any], source: str, matching: set[str], *, replayed: bool
) -> None:
    """P1, P6: a replay sends no email and calls no webhook, and its marker passes through archive and rule.

    EventBridge itself does not archive replayed events.
    """
    events = local_client("events", ministack.endpoint_url)
    event = {
        "id": "1", "account": "1", "region": "us-east-1", "resources": [], "time": "2026-11-21T10:00:00Z",
        "source": source, "detail-type": "booking.confirmed", "detail": {"actor": "invitee"},
        **({"replay-name": "restore-1"} if replayed else {}),
    }  # fmt: skip
    found = {
        name
        for name in ("MailRule", "WebhookRule", "RestoreRule", "EventArchive")
        if events.test_event_pattern(
            EventPattern=json.dumps(resources[name]["Properties"]["EventPattern"]), Event=json.dumps(event)
        )["Result"]
    }
    assert found == matching
