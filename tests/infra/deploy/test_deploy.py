"""`make deploy`, `make destroy` and `make key STAGE=…`, against ministack."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ProfileNotFound

from infra.deploy import deploy, destroy as destroying
from infra.deploy.bucket import remove_old
from infra.deploy.concurrency import LambdaQuota
from infra.deploy.table import compare_table
from infra.local.aws import local_client
from infra.local.engines.ministack import Ministack
from infra.local.table import table_properties
from infra.local.template import fit_for_ministack
from infra.operate import api_keys
from infra.package.alarms import WATCHED
from infra.package.build import Package
from infra.stack import unpublished
from infra.stack.account import Account, DeployError, explained, open_account
from infra.stack.restore_progress import RestoreProgress
from infra.stack.stack_state import StackState, read_stack
from infra.stack.stacks import Deployment, StackError, outputs, plan_stack
from infra.stack.stage import STAGES, Stage, read_stage, save_stage
from tests.support.waiting import LIMIT

STACK = "admit-one-dev"


@pytest.fixture(scope="module")
def account() -> Iterator[Ministack]:
    """An empty account for this module."""
    with Ministack() as engine:
        yield engine


@pytest.fixture
def put(
    account: Ministack, packaged: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Point the commands at the account; they deploy the given template, or the packaged one."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", account.endpoint_url)
    monkeypatch.setattr("infra.stack.stacks.POLL_SECONDS", 0.05)
    monkeypatch.setattr("infra.deploy.destroy._SETTLE_SECONDS", 0)
    monkeypatch.setattr("infra.stack.stage.STAGES", tmp_path / "stages")
    # ministack has no metrics of functions.
    monkeypatch.setattr("infra.stack.unpublished._lag", lambda *_: 0.0)

    def use(template: dict[str, Any] | None = None, *, archive: bool = False) -> None:
        path, whole = tmp_path / "template.json", template or packaged.read_template()
        fit = fit_for_ministack(whole)
        if archive:  # ministack can't create one, but the deployment adopts one
            for part in ("Resources", "Outputs"):
                fit[part] |= {
                    name: each for name, each in whole[part].items() if name.startswith("EventArchive")
                }
        path.write_text(json.dumps(fit))
        made = dataclasses.replace(packaged, template=path)
        monkeypatch.setattr(deploy, "make_package", lambda *_: made)

    use()
    return use


def _run(*arguments: str) -> int:
    return deploy.main(arguments)


def _table(account: Ministack) -> str:
    return outputs(local_client("cloudformation", account.endpoint_url), STACK)["TableName"]


def _keys(account: Ministack) -> str:
    return outputs(local_client("cloudformation", account.endpoint_url), STACK)["SigningSecretId"]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the command does, in order: the operations that it calls, and the lines that it prints."""
    done: list[str] = []
    real = Account.client

    def client(self: Account, name: str, *more: Any) -> Any:
        made = real(self, name, *more)
        made.meta.events.register("before-call", lambda model, **_: done.append(model.name))
        return made

    def say(line: str) -> None:
        done.append(line)
        print(line)

    monkeypatch.setattr(Account, "client", client)
    monkeypatch.setattr(deploy, "_say", say)
    return done


READS = ("Describe", "List", "Get", "Head")
REPLACED = "replace the stack admit-one-fresh, whose creation failed"
PREPARES = {
    "CreateBucket", "PutPublicAccessBlock", "PutBucketOwnershipControls", "PutBucketPolicy",
    "PutBucketLifecycleConfiguration", "PutObject", "CreateChangeSet", "DeleteChangeSet",
}  # fmt: skip


@pytest.mark.usefixtures("put")
def test_a_stage_is_deployed_and_a_second_deployment_changes_nothing(
    account: Ministack, steps: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("deploy", "--stage", "dev") == 0
    output = capsys.readouterr().out
    _said_before_it_was_done(steps)
    assert "Created." in output
    assert "make key STAGE=dev" in output
    bucket = "admit-one-deploy-000000000000-us-east-1"
    s3 = local_client("s3", account.endpoint_url)
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    before = _table(account)
    sent = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert {key.rpartition("/")[0] for key in sent} == {STACK}
    [statement] = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [each.get("Expiration") for each in rules] == [None], "a rollback reads the previous package"
    theirs = {**statement, "Sid": "Theirs", "Action": "s3:DeleteBucket"}
    policy = {"Version": "2012-10-17", "Statement": [theirs, {**statement, "Action": "s3:DeleteObject"}]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    rule: Any = {"ID": "Theirs", "Status": "Enabled", "Filter": {"Prefix": "x"}, "Expiration": {"Days": 9}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    s3.delete_public_access_block(Bucket=bucket)  # as if the command that created the bucket had been killed

    assert _run("deploy", "--stage", "dev") == 0

    assert "Nothing has changed." in capsys.readouterr().out
    assert _table(account) == before
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == sent
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"] == [theirs, statement]
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [each["ID"] for each in rules] == ["Theirs", "AbortUploads"], "what somebody added stays"
    _old_packages_are_removed(s3, bucket, sent)
    stack = local_client("cloudformation", account.endpoint_url).describe_stacks(StackName=STACK)["Stacks"][0]
    assert {"Key": "stage", "Value": "dev"} in stack["Tags"]


def _old_packages_are_removed(s3: Any, bucket: str, used: list[str]) -> None:
    """Check that only this stage's old packages go, and not those in use."""
    for key in (f"{STACK}/old.zip", "admit-one-other/old.zip", "theirs.zip"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    later = datetime.now(UTC) + timedelta(days=31)
    remove_old(open_account(), bucket, f"{STACK}/", used, later - timedelta(days=2))
    assert len(s3.list_objects_v2(Bucket=bucket)["Contents"]) == len(used) + 3
    remove_old(open_account(), bucket, f"{STACK}/", used, later)
    left = {each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert left == {*used, "admit-one-other/old.zip", "theirs.zip"}


def _said_before_it_was_done(steps: list[str]) -> None:
    """Check that what was found is said before anything is written, and what is planned before anything runs."""
    found = [number for number, step in enumerate(steps) if step.startswith("Found ")]
    will = [number for number, step in enumerate(steps) if step.startswith("Will ")]
    writes = [
        n for n, step in enumerate(steps) if re.fullmatch(r"[A-Z]\w+", step) and not step.startswith(READS)
    ]
    assert len(found) == len(will) == 1
    assert found[0] < writes[0]
    assert {steps[number] for number in writes if number < will[0]} <= PREPARES
    assert "ExecuteChangeSet" in {steps[number] for number in writes if number > will[0]}


def test_a_deployment_that_cloudformation_refuses_is_rolled_back_and_reported(
    account: Ministack,
    packaged: Package,
    put: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The stack is unchanged, and the message has CloudFormation's reason."""
    before = _table(account)
    template = packaged.read_template()
    # A type of parameter that CloudFormation can't make.
    broken = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "SecureString", "Value": "x"}}
    put({**template, "Resources": {**template["Resources"], "Broken": broken}})

    assert _run("deploy", "--stage", "dev") == 1

    output = capsys.readouterr().err
    assert "ROLLBACK" in output
    assert "Broken" in output
    assert _table(account) == before
    put(None)
    assert _run("deploy", "--stage", "dev") == 0


def test_a_first_deployment_that_fails_reports_what_remains_and_the_next_one_succeeds(
    account: Ministack,
    packaged: Package,
    put: Callable[..., None],
    steps: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only the table remains, because of its deletion protection; the message names it, and it blocks nothing."""
    template = packaged.read_template()
    broken = {"Type": "AWS::SSM::Parameter", "DependsOn": ["Table", "SigningSecret", "MailDlq"],
              "Properties": {"Type": "SecureString", "Value": "x"}}  # fmt: skip
    put({**template, "Resources": {**template["Resources"], "Broken": broken}})
    secrets = local_client("secretsmanager", account.endpoint_url)
    dynamodb = local_client("dynamodb", account.endpoint_url)
    before = len(secrets.list_secrets()["SecretList"])

    assert _run("deploy", "--stage", "fresh") == 1

    output = capsys.readouterr().err
    assert "Broken" in output
    [left] = re.findall(r"  Table: (\S+)", output)
    assert "SigningSecret" not in output
    assert "MailDlq" not in output
    assert dynamodb.describe_table(TableName=left)["Table"]["ItemCount"] == 0
    assert len(secrets.list_secrets()["SecretList"]) == before

    put(None)
    steps.clear()
    assert _run("deploy", "--stage", "fresh", "--plan") == 0
    assert steps[-1] == f"Will    {REPLACED}"
    assert {step for step in steps if re.fullmatch(r"[A-Z]\w+", step) and not step.startswith(READS)} == set()
    assert _run("deploy", "--stage", "fresh") == 0

    assert steps.index("DeleteStack") > steps.index(f"Will    {REPLACED}")
    assert "Created." in capsys.readouterr().out
    found = outputs(local_client("cloudformation", account.endpoint_url), "admit-one-fresh")
    dynamodb.describe_table(TableName=found["TableName"])  # of another name on AWS, where names are drawn


@pytest.mark.usefixtures("put", "own_environment")
def test_the_first_key_opens_the_deployed_api(account: Ministack, capsys: pytest.CaptureFixture[str]) -> None:
    """`make key STAGE=dev` finds the table through the stack, and does not touch local data."""
    assert api_keys.main(["--stage", "dev", "create", "--role", "admin", "--name", "first"]) == 0
    key = capsys.readouterr().out.rpartition(": ")[2].strip()
    api = outputs(local_client("cloudformation", account.endpoint_url), STACK)["RestAPIId"]
    url = f"{account.endpoint_url}/restapis/{api}/api/_user_request_/v1/hosts"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=LIMIT, trust_env=False)
    assert answer.status_code == 200, answer.text


@pytest.mark.usefixtures("put")
def test_a_destroyed_stage_keeps_its_data_and_its_file_names_it(
    account: Ministack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = _table(account)
    secret = outputs(local_client("cloudformation", account.endpoint_url), STACK)["SigningSecretId"]
    dynamodb = local_client("dynamodb", account.endpoint_url)
    items = dynamodb.scan(TableName=table)["Count"]
    assert items > 0, "the first key is in it"

    bus, events = f"{STACK}-events", local_client("events", account.endpoint_url)
    arn = events.describe_event_bus(Name=bus)["Arn"]
    events.create_archive(ArchiveName="all", EventSourceArn=arn, RetentionDays=3)
    found = outputs(local_client("cloudformation", account.endpoint_url), STACK)
    assert unpublished._retry_queue_url(found) == _resources(account, STACK)["OutboxRetryQueue"]
    sqs, dlq = local_client("sqs", account.endpoint_url), _resources(account, STACK)["OutboxDlq"]
    sqs.send_message(QueueUrl=dlq, MessageBody="a stream record")
    (tmp_path / "stages").mkdir()
    file = tmp_path / "stages" / "dev.json"
    file.write_text('{"parameters": {"EventArchiveDays": "7"}}')

    assert _run("destroy", "--stage", "dev") == 1
    assert "CONFIRM=dev" in capsys.readouterr().err
    assert _run("destroy", "--stage", "dev", "--confirm", "dev") == 1
    assert "1 stream records are in OutboxDlq" in capsys.readouterr().err
    assert _table(account) == table
    assert _run("destroy", "--stage", "dev", "--confirm", "dev", "--lose") == 0

    output = capsys.readouterr().out
    assert f"EventBus: {bus}" in output
    assert json.loads(file.read_text()) == {
        "parameters": {"EventArchiveDays": "7"}, "table": table, "signingSecret": secret
    }  # fmt: skip
    assert events.describe_archive(ArchiveName="all")["EventSourceArn"] == arn
    assert f"Table: {table}" in output
    assert "SigningSecret: " in output
    assert dynamodb.scan(TableName=table)["Count"] == items
    local_client("secretsmanager", account.endpoint_url).get_secret_value(SecretId=secret)
    assert _run("destroy", "--stage", "dev", "--confirm", "dev") == 1
    assert "There is no stack admit-one-dev" in capsys.readouterr().err


def test_a_destroyed_stage_is_deployed_again_with_its_data_and_its_events(
    account: Ministack,
    put: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The table of the test above is now older than the template: it lacks an index, and its stream is off."""
    dynamodb = local_client("dynamodb", account.endpoint_url)
    events = local_client("events", account.endpoint_url)
    secrets = local_client("secretsmanager", account.endpoint_url)
    [table] = [name for name in dynamodb.list_tables()["TableNames"] if name.startswith(f"{STACK}-Table")]
    [secret] = [
        each["ARN"] for each in secrets.list_secrets()["SecretList"] if each["Name"].startswith(STACK)
    ]
    bus, items = f"{STACK}-events", dynamodb.scan(TableName=table)["Count"]
    put(archive=True)
    assert _run("deploy", "--stage", "dev") == 1
    said = capsys.readouterr()
    assert "names no table and no signing keys of that stack" in said.err
    assert "Will" not in said.out
    assert _run("deploy", "--stage", "dev", "--plan", "--empty") == 0
    (tmp_path / "stages").mkdir()
    kept = {"parameters": {"EventArchiveDays": "7"}, "table": table, "signingSecret": secret}
    (tmp_path / "stages" / "dev.json").write_text(json.dumps(kept))
    dynamodb.update_table(TableName=table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "byLabel"}}])
    dynamodb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    assert _run("deploy", "--stage", "dev", "--plan") == 0
    output = capsys.readouterr().out
    assert f"bus {bus} and archive all: kept from an earlier stack, " in output
    assert "update the archive all: Description, EventPattern, RetentionDays" in output
    assert (
        f"table {table} (existing, {items} items): the stream is off; the index byLabel is missing" in output
    )
    assert f"Will    update the table {table}: the stream is off" in output
    assert "create the stack admit-one-dev: " in output
    assert len(dynamodb.describe_table(TableName=table)["Table"]["GlobalSecondaryIndexes"]) == 5
    assert _run("destroy", "--stage", "dev", "--confirm", "dev") == 1, "a plan leaves no stack"
    assert _run("deploy", "--stage", "dev") == 0
    assert differences_of(account, table) == []
    archive = events.describe_archive(ArchiveName="all")
    assert (archive["RetentionDays"], json.loads(archive["EventPattern"])) == (
        7,
        {"source": ["admit-one", "admit-one.restore"]},
    )
    found = outputs(local_client("cloudformation", account.endpoint_url), STACK)
    assert (found["EventArchiveName"], found["EventBusName"]) == ("all", bus)
    assert events.list_rules(EventBusName=bus)["Rules"], "the new stack's rules are on the adopted bus"
    mappings = local_client("lambda", account.endpoint_url).list_event_source_mappings()[
        "EventSourceMappings"
    ]
    stream = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    assert stream in {each["EventSourceArn"] for each in mappings}, "the outbox reads the new stream"
    assert _table(account) == table
    names = [each["Name"] for each in secrets.list_secrets()["SecretList"] if each["Name"].startswith(STACK)]
    assert len(names) == 1, "no second set of keys was made"


@pytest.mark.usefixtures("put")
def test_a_deployment_without_the_stages_file_keeps_table_and_bookings_as_they_are(
    account: Ministack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """P1: the stage of the test above uses existing resources, named in its file. Another checkout lacks the file."""
    table, dynamodb = _table(account), local_client("dynamodb", account.endpoint_url)
    keys = _keys(account)
    assert _run("deploy", "--stage", "dev") == 0
    output = capsys.readouterr().out
    assert f"doesn't name the table that the stack uses, {table}; using it" in output
    assert f"doesn't name the signing keys that the stack uses, {keys}; using them" in output
    assert (_table(account), _keys(account)) == (table, keys), "with other keys, no link works"

    stages = tmp_path / "stages"
    stages.mkdir()
    (stages / "dev.json").write_text('{"parameters": {"BookingsClosed": "yes"}}')
    assert _run("deploy", "--stage", "dev", "--watch", "5") == 0
    assert "watch no alarms: while bookings are closed" in capsys.readouterr().out
    (stages / "dev.json").unlink()
    assert _run("deploy", "--stage", "dev") == 1
    assert "make restore STAGE=dev. To open bookings: OPEN=yes" in capsys.readouterr().err

    other = f"{table}-other"
    dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=other)
    (stages / "dev.json").write_text(json.dumps({"table": other}))
    assert _run("deploy", "--stage", "dev", "--open") == 1
    assert f"names the table {other}, but admit-one-dev uses {table}" in capsys.readouterr().err
    assert _run("deploy", "--stage", "dev", "--switch", "--open") == 1
    assert f"uses the table {other} in place of {table} while bookings are open" in capsys.readouterr().err
    assert _table(account) == table
    closed = {"table": other, "parameters": {"BookingsClosed": "yes"}}
    (stages / "dev.json").write_text(json.dumps(closed))
    assert _run("deploy", "--stage", "dev", "--switch") == 0
    assert (_table(account), _keys(account)) == (other, keys)
    (stages / "dev.json").write_text(json.dumps({**closed, "table": "no-such-table"}))
    assert _run("deploy", "--stage", "dev", "--switch") == 1
    assert "there is no such table in us-east-1" in capsys.readouterr().err


def test_a_deployment_that_takes_data_out_of_use_is_refused(
    account: Ministack,
    packaged: Package,
    put: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A wrong release must not replace the table or the keys: CloudFormation would keep them, but no stack use them."""
    assert _run("deploy", "--stage", "kept") == 0
    before = _resources(account, "admit-one-kept")
    changed = renamed(packaged.read_template(), "SigningSecret", "OtherSecret")
    changed = renamed(changed, "MailDlq", "OtherDlq")
    put(changed)
    capsys.readouterr()
    assert _run("deploy", "--stage", "kept") == 1
    assert (
        "  MailDlq (AWS::SQS::Queue): removed\n  SigningSecret (AWS::SecretsManager::Secret): removed"
        in capsys.readouterr().err
    )
    assert _resources(account, "admit-one-kept") == before

    template = packaged.read_template()
    properties = template["Resources"]["Table"]["Properties"]
    for name in ("one", "two"):
        index = {**properties["GlobalSecondaryIndexes"][0], "IndexName": name}
        properties["GlobalSecondaryIndexes"].append(index)
    put(template)
    assert _run("deploy", "--stage", "kept") == 1
    assert "the index one is missing; the index two is missing: CloudFormation" in capsys.readouterr().err
    assert _resources(account, "admit-one-kept") == before


def renamed(template: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """Return a template with another logical id for a resource."""
    text = re.sub(rf'(["{{]){old}(["}}.])', rf"\g<1>{new}\g<2>", json.dumps(template))
    whole: dict[str, Any] = json.loads(text)
    return whole


def _resources(account: Ministack, stack: str) -> dict[str, str]:
    return dict(read_stack(local_client("cloudformation", account.endpoint_url), stack).resources)


def differences_of(account: Ministack, table: str) -> list[Any]:
    """Return the differences of a table from the template's."""
    del account  # the environment names its endpoint
    return compare_table(open_account(), table, table_properties())


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("UPDATE_IN_PROGRESS", "another operation has not finished. Wait"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "another operation has not finished. Wait"),
        ("DELETE_FAILED", "Delete the rest with make destroy"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name admit-one-x"),
    ],
)
def test_a_stack_that_cannot_be_updated_is_reported_with_what_to_do(status: str, words: str) -> None:
    described = {"Stacks": [{"StackStatus": status}]}
    cloudformation = SimpleNamespace(describe_stacks=lambda **_: described)
    with pytest.raises(StackError, match=words):
        plan_stack(cloudformation, Deployment(name="admit-one-x", bucket="b"), "url")


@pytest.mark.usefixtures("put")
def test_two_stages_share_no_resources(
    account: Ministack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second stage is deployed with a new account's small quota of Lambda, so its queues use little of it."""
    monkeypatch.setattr(deploy, "read_quota", lambda _: LambdaQuota(10, 10))
    assert _run("deploy", "--stage", "staging") == 0
    assert "Will    limit queues and the stream to 17 of 10 unreserved" in capsys.readouterr().out
    deliveries = _resources(account, "admit-one-staging")["WebhookDeliverMapping"]
    mapping = local_client("lambda", account.endpoint_url).get_event_source_mapping(UUID=deliveries)
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    cloudformation = local_client("cloudformation", account.endpoint_url)
    one, other = (
        {
            r["PhysicalResourceId"]
            for r in cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        }
        for name in (STACK, "admit-one-staging")
    )
    # "api" names a stage of a different API in each stack; an account has only one log setting, which both stacks have.
    assert one & other <= {"api", "AccountLogSetting"}


@pytest.mark.usefixtures("put")
def test_a_missing_region_or_missing_credentials_are_reported_before_any_change(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deploy, "make_package", lambda *_: pytest.fail("packaged in vain"))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    assert _run("deploy", "--stage", "dev") == 1
    assert "AWS_REGION=" in capsys.readouterr().err

    monkeypatch.setenv("AWS_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert _run("deploy", "--stage", "dev") == 1
    assert "No AWS credentials can be used" in capsys.readouterr().err


@pytest.mark.usefixtures("put")
def test_a_missing_or_foreign_bucket_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("deploy", "--stage", "staging", "--bucket", "no-such-bucket-anywhere") == 1
    assert "There is no bucket no-such-bucket-anywhere" in capsys.readouterr().err

    refused = {"Error": {"Code": "403", "Message": "Forbidden"}, "ResponseMetadata": {"HTTPStatusCode": 403}}

    class Refusing:
        def head_bucket(self, **_: Any) -> None:
            raise ClientError(refused, "HeadBucket")  # type: ignore[arg-type]

    real = Account.client
    monkeypatch.setattr(
        Account, "client", lambda self, name, *more: Refusing() if name == "s3" else real(self, name, *more)
    )
    assert _run("deploy", "--stage", "staging", "--bucket", "someone-elses") == 1
    output = capsys.readouterr().err
    assert "someone-elses is not this account's" in output
    assert "s3:PutObject" in output


@pytest.mark.usefixtures("put")
def test_a_bucket_that_may_not_be_created_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Refusing:
        def head_bucket(self, **_: Any) -> None:
            raise _refusal("404", 404, "HeadBucket")

        def create_bucket(self, **_: Any) -> None:
            raise _refusal("AccessDenied", 403, "CreateBucket")

    real = Account.client
    monkeypatch.setattr(
        Account, "client", lambda self, name, *more: Refusing() if name == "s3" else real(self, name, *more)
    )
    assert _run("deploy", "--stage", "staging") == 1
    output = capsys.readouterr().err
    assert "may not create the bucket admit-one-deploy-000000000000-us-east-1" in output
    assert "BUCKET=" in output


def _refusal(code: str, status: int, operation: str) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (_refusal("ExpiredToken", 400, "GetCallerIdentity"), "Log in again"),
        (_refusal("InvalidClientTokenId", 403, "GetCallerIdentity"), "Log in again"),
        (
            _refusal("AccessDenied", 403, "CreateChangeSet"),
            "These credentials don't have permission for CreateChangeSet",
        ),
        (ProfileNotFound(profile="x"), "Set AWS_PROFILE, or log in"),
        (EndpointConnectionError(endpoint_url="https://sts"), "AWS can't be reached"),
    ],
)
def test_an_error_of_aws_is_reported_with_what_to_do(error: Exception, words: str) -> None:
    with pytest.raises(DeployError, match=words), explained():
        raise error


@pytest.mark.usefixtures("put")
def test_an_alarm_rolls_a_deployment_back(account: Ministack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment passes the alarms to watch and the duration to CloudFormation; a first deployment has none."""
    asked: list[dict[str, Any]] = []
    real = Account.client

    def client(self: Account, name: str, *more: Any) -> Any:
        made = real(self, name, *more)
        if name == "cloudformation":
            made.meta.events.register(
                "provide-client-params.cloudformation.CreateChangeSet",
                lambda params, **_: asked.append(params["RollbackConfiguration"]),
            )
        return made

    monkeypatch.setattr(Account, "client", client)
    for more in ([], [], ["--watch", "0"]):
        assert _run("deploy", "--stage", "watched", *more) == 0
    first, again, unwatched = asked
    assert first == unwatched == {"RollbackTriggers": [], "MonitoringTimeInMinutes": 0}
    assert again["MonitoringTimeInMinutes"] == deploy.WATCH_MINUTES
    names = {
        alarm["AlarmName"]
        for page in local_client("cloudwatch", account.endpoint_url)
        .get_paginator("describe_alarms")
        .paginate()
        for alarm in page["MetricAlarms"]
        if alarm["AlarmArn"] in {trigger["Arn"] for trigger in again["RollbackTriggers"]}
    }
    assert {name.split("-")[3] for name in names} == set(WATCHED)


@pytest.mark.usefixtures("put")
def test_the_log_role_that_another_team_set_stays(
    account: Ministack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An account has one role for the logs of all its APIs. A stage closes before it is deleted."""
    gateway, theirs = (
        local_client("apigateway", account.endpoint_url),
        "arn:aws:iam::000000000000:role/Theirs",
    )
    change: Any = {"op": "replace", "path": "/cloudwatchRoleArn", "value": theirs}
    gateway.update_account(patchOperations=[change])
    assert _run("deploy", "--stage", "watched", "--watch", "0") == 0
    assert f"API Gateway's log role: {theirs}, which stays" in capsys.readouterr().out
    closed: list[dict[str, str]] = []
    delete = destroying._delete

    def delete_closed(cloudformation: Any, stack: StackState) -> None:
        closed.append(dict(read_stack(cloudformation, stack.name).parameters))
        delete(cloudformation, stack)

    monkeypatch.setattr(destroying, "_delete", delete_closed)
    before = read_stack(local_client("cloudformation", account.endpoint_url), "admit-one-watched").parameters
    assert _run("destroy", "--stage", "watched", "--confirm", "watched") == 0
    assert closed == [{**before, "BookingsClosed": "all"}], "nothing else was changed"
    assert gateway.get_account()["cloudwatchRoleArn"] == theirs


@pytest.mark.usefixtures("put")
def test_an_error_in_a_stage_file_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CloudFormation silently uses the default of a parameter whose name is misspelled."""
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "staging.json").write_text('{"parameters": {"AlarmEmial": "ops@example.com"}}')
    assert _run("deploy", "--stage", "staging") == 1
    assert "Unknown parameter AlarmEmial; the template has AlarmEmail" in capsys.readouterr().err
    (tmp_path / "stages" / "staging.json").write_text('{"parameters": {"LogRetentionDays": 31}}')
    assert _run("deploy", "--stage", "staging") == 1
    assert "  LogRetentionDays is '31', but must be one of 1, 3, 5, 7" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "Prod", "-x", "a" * 21, "a/b", "../x"])
def test_a_stage_has_a_plain_name(name: str) -> None:
    with pytest.raises(DeployError, match="can't name a stage"):
        read_stage(name)


def test_a_stage_without_a_file_has_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.stack.stage.STAGES", tmp_path)
    assert read_stage("mine") == Stage("mine")
    (tmp_path / "mine.json").write_text("{")
    with pytest.raises(DeployError, match=r"mine\.json"):
        read_stage("mine")


def test_a_stage_file_keeps_what_a_command_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restore that was killed continues from its file, and a finished one leaves no trace of its progress."""
    monkeypatch.setattr("infra.stack.stage.STAGES", tmp_path)
    (tmp_path / "mine.json").write_text('{"parameters": {"LogRetentionDays": 90}}')
    at = datetime(2026, 11, 21, 10, tzinfo=UTC)
    parameters = {"LogRetentionDays": "90", "BookingsClosed": "all"}
    progress = RestoreProgress(to=at, table="t2", cursor="gaps:3:x")
    stage = Stage("mine", parameters, "t2", "arn:secret", progress)

    save_stage(stage, closed="all")

    assert read_stage("mine") == stage
    save_stage(dataclasses.replace(stage, restore=None), closed="no")
    assert read_stage("mine") == Stage("mine", {"LogRetentionDays": "90"}, "t2", "arn:secret")
    save_stage(Stage("mine", table=None), closed="no")
    assert read_stage("mine").table is None, (
        "the stack owns its table, so a deployment must not change to another"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]
    for wrong in ('{"restore": {"gap": true}}', '{"restore": {"to": "yesterday"}}', '{"restor": {}}'):
        (tmp_path / "mine.json").write_text(wrong)
        with pytest.raises(DeployError, match=r"mine\.json"):
            read_stage("mine")


def test_the_included_stage_files_match_the_template(template: dict[str, Any]) -> None:
    names = [path.stem for path in STAGES.glob("*.json")]
    assert {"dev", "staging", "prod"} <= set(names)
    for name in names:
        stage = read_stage(name)
        assert set(stage.parameters) <= set(template["Parameters"])
        assert (stage.table, stage.signing_secret) == (None, None)
