"""A user with the printed permissions deploys, creates a key and destroys, with IAM enforced.

ministack checks the calls of the command, but not those that CloudFormation makes.
"""

import dataclasses
import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from infra.deploy import bucket, deploy
from infra.deploy.deployer_policy import Target, boundary_policy, command_policy
from infra.local.template import fit_for_ministack
from infra.operate import api_keys
from infra.stack.stacks import outputs
from tests.deployed.conftest import Stack
from tests.deployed.test_main_job import _links, _redeem, _starts

STAGE: Final = "granted"

# Actions that this test does not use, and why the document has them.
EXPLAINED: Final = {
    "lambda:GetAccountSettings": "ministack does not check this call",
    "s3:DeleteObject": "packages are removed after 30 days; test_deploy.py removes some",
    "s3:PutBucketOwnershipControls": "a new bucket has this setting, but a bucket of 2022 does not",
    "s3:PutBucketPublicAccessBlock": "a new bucket has this setting; test_deploy.py removes it",
}

# Statements whose resources have other names on ministack; the test allows their actions on all resources.
NAMED_OTHERWISE: Final = {"Bus"}


@pytest.fixture
def user(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_environment: None
) -> Iterator[str]:
    """A user who has only the printed permissions, and whose credentials the commands use."""
    del own_environment
    iam, name = stack.client("iam"), f"deployer-{secrets.token_hex(4)}"
    iam.create_user(UserName=name)
    policy = command_policy(Target(STAGE))
    for statement in policy["Statement"]:
        if statement["Sid"] in NAMED_OTHERWISE:
            statement["Resource"] = ["*"]
    iam.put_user_policy(UserName=name, PolicyName="deploy", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    monkeypatch.setattr("infra.stack.stacks.POLL_SECONDS", 0.05)
    monkeypatch.setattr("infra.deploy.destroy._SETTLE_SECONDS", 0)
    monkeypatch.setattr("infra.stack.stage.STAGES", tmp_path / "stages")
    (tmp_path / "stages").mkdir()
    file = tmp_path / "stages" / f"{STAGE}.json"
    file.write_text('{"parameters": {"AlarmEmail": "ops@example.com"}}')
    path = tmp_path / "template.json"
    path.write_text(json.dumps(fit_for_ministack(stack.package.read_template())))
    made = dataclasses.replace(stack.package, template=path)
    monkeypatch.setattr(deploy, "make_package", lambda *_: made)
    # ministack has no TLS, which the bucket's policy requires.
    text = json.dumps(bucket._SETTINGS).replace('SecureTransport": "false"', 'SecureTransport": "true"')
    monkeypatch.setattr(bucket, "_SETTINGS", json.loads(text))
    yield name
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=name, PolicyName="deploy")
    iam.delete_user(UserName=name)


def test_the_printed_permissions_are_enough_and_all_are_used(
    stack: Stack, user: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(stack.rights_used.read_text().splitlines())
    assert deploy.main(["deploy", "--stage", STAGE]) == 0, capsys.readouterr().err
    assert "unknown" not in capsys.readouterr().out, "every fact could be read"
    _manage_keys(capsys)
    assert deploy.main(["deploy", "--stage", STAGE, "--plan"]) == 0
    _read_the_stream(stack)
    assert deploy.main(["destroy", "--stage", STAGE, "--confirm", STAGE]) == 0, capsys.readouterr().err
    _age(stack, tmp_path)
    assert deploy.main(["deploy", "--stage", STAGE]) == 0, capsys.readouterr().err
    _read_the_stream(stack)

    lines = [json.loads(line) for line in stack.rights_used.read_text().splitlines()[before:]]
    used = {action for whom, action, _ in lines if whom.endswith(f"user/{user}")}
    listed = {action for each in command_policy(Target(STAGE))["Statement"] for action in each["Action"]}
    assert listed - used - set(EXPLAINED) == set()

    iam = stack.client("iam")
    denied = {"Effect": "Deny", "Action": "cloudformation:DeleteStack", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    iam.put_user_policy(UserName=user, PolicyName="less", PolicyDocument=document)
    capsys.readouterr()
    assert deploy.main(["destroy", "--stage", STAGE, "--confirm", STAGE, "--lose"]) == 1
    assert "These credentials don't have permission for DeleteStack" in capsys.readouterr().err
    iam.delete_user_policy(UserName=user, PolicyName="less")
    assert deploy.main(["destroy", "--stage", STAGE, "--confirm", STAGE, "--lose"]) == 0


def _read_the_stream(stack: Stack) -> None:
    """Put the metric of an outbox that has read the stream, because ministack has none: a destroy asks for it."""
    function = outputs(stack.client("cloudformation"), f"admit-one-{STAGE}")["OutboxFunction"]
    dimensions = [{"Name": "FunctionName", "Value": function}]
    lag: Any = {"MetricName": "IteratorAge", "Dimensions": dimensions, "Value": 200.0}
    stack.client("cloudwatch").put_metric_data(Namespace="AWS/Lambda", MetricData=[lag])


def _manage_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """Create, list and revoke an API key of the stage."""
    capsys.readouterr()
    assert api_keys.main(["--stage", STAGE, "create", "--role", "admin", "--name", "first"]) == 0
    assert api_keys.main(["--stage", STAGE, "list"]) == 0
    [key_id] = set(re.findall(r"key_\w+", capsys.readouterr().out))
    assert api_keys.main(["--stage", STAGE, "revoke", key_id]) == 0


def _age(stack: Stack, tmp_path: Path) -> None:
    """Make the kept table older than the template, and give the kept bus an archive, which ministack doesn't create."""
    table = json.loads((tmp_path / "stages" / f"{STAGE}.json").read_text())["table"]
    delete: Any = {"Delete": {"IndexName": "byLabel"}}
    stack.client("dynamodb").update_table(TableName=table, GlobalSecondaryIndexUpdates=[delete])
    events = stack.client("events")
    bus = events.describe_event_bus(Name=f"admit-one-{STAGE}-events")["Arn"]
    events.create_archive(ArchiveName=STAGE, EventSourceArn=bus)
    path, whole = tmp_path / "template.json", stack.package.read_template()
    template = json.loads(path.read_text())
    for part in ("Resources", "Outputs"):
        template[part] |= {
            name: each for name, each in whole[part].items() if name.startswith("EventArchive")
        }
    path.write_text(json.dumps(template))


def test_the_functions_work_within_the_printed_boundary(stack: Stack) -> None:
    """The boundary does not come from the stack here: ministack's CloudFormation doesn't set one."""
    iam = stack.client("iam")
    roles = [name for logical_id, name in stack.resources.items() if logical_id.endswith("Role")]
    less = boundary_policy()
    less["Statement"][0]["Action"].remove("dynamodb:PutItem")
    arns = [
        iam.create_policy(PolicyName=f"boundary-{secrets.token_hex(4)}", PolicyDocument=json.dumps(each))[
            "Policy"
        ]["Arn"]
        for each in (boundary_policy(), less)
    ]
    link, other = _links(stack, 2)
    start, later = _starts(stack, link)[:2]
    try:
        for name in roles:
            iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=arns[0])
        assert _redeem(link, start).status_code == 201
        for name in roles:
            iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=arns[1])
        assert _redeem(other, later).status_code >= 500, "the boundary is in force"
    finally:
        for name in roles:
            iam.delete_role_permissions_boundary(RoleName=name)
    assert _redeem(other, later).status_code == 201
