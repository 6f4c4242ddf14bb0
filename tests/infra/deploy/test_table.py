"""An existing table gets the template's settings and indexes, because CloudFormation doesn't manage it."""

import copy
import secrets
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.deploy import table as tables
from infra.deploy.table import compare_table, differences, update_table
from infra.local.engines.ministack import Ministack
from infra.local.table import create_table_arguments, table_properties
from infra.stack.account import Account, DeployError, open_account

WANTED = table_properties()
KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]


@pytest.fixture
def account(ministack: Ministack, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack.endpoint_url)
    return open_account()


def _create(account: Account, change: Callable[[dict[str, Any]], object] = lambda _: None) -> str:
    """Create a table from the template's definition, changed by `change`; return its name."""
    arguments = copy.deepcopy(create_table_arguments(f"existing-{secrets.token_hex(4)}"))
    change(arguments)
    account.client("dynamodb").create_table(**arguments)
    return str(arguments["TableName"])


def _without_indexes(*names: str) -> Callable[[dict[str, Any]], None]:
    def change(arguments: dict[str, Any]) -> None:
        indexes = arguments["GlobalSecondaryIndexes"]
        kept = arguments["GlobalSecondaryIndexes"] = [i for i in indexes if i["IndexName"] not in names]
        used = {key["AttributeName"] for index in kept for key in index["KeySchema"]} | {"pk", "sk"}
        arguments["AttributeDefinitions"] = [
            each for each in arguments["AttributeDefinitions"] if each["AttributeName"] in used
        ]

    return change


def test_every_setting_that_a_restore_leaves_out_is_added(account: Account) -> None:
    """A restored or retained table may be older than the template; its items stay."""

    def change(arguments: dict[str, Any]) -> None:
        _without_indexes("byLabel", "due")(arguments)
        del arguments["StreamSpecification"]
        arguments |= {"DeletionProtectionEnabled": False, "BillingMode": "PROVISIONED"}
        arguments["ProvisionedThroughput"] = throughput = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
        for index in arguments["GlobalSecondaryIndexes"]:
            index["ProvisionedThroughput"] = throughput

    name, said = _create(account, change), list[str]()
    dynamodb = account.client("dynamodb")
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "A"}, "sk": {"S": "B"}})
    found = [each.text for each in compare_table(account, name, WANTED)]
    assert found == [
        "its billing mode is PROVISIONED, not PAY_PER_REQUEST", "deletion protection is off", "the stream is off",
        "the index byLabel is missing", "the index due is missing", "TTL is off", "point-in-time recovery is off",
    ]  # fmt: skip

    update_table(account, name, WANTED, said.append)

    assert compare_table(account, name, WANTED) == []
    assert [line.partition(": ")[2].removesuffix("; updating …") for line in said] == found
    assert dynamodb.scan(TableName=name)["Count"] == 1
    update_table(account, name, WANTED, pytest.fail)


def test_a_restore_to_a_point_in_time_gets_the_indexes_of_the_template(account: Account) -> None:
    """The restored table has the indexes of the table that was restored, which may be older than the template."""
    source = _create(account, _without_indexes("byRecipient"))
    dynamodb = account.client("dynamodb")
    restored = f"{source}-restored"
    dynamodb.restore_table_to_point_in_time(SourceTableName=source, TargetTableName=restored)
    update_table(account, restored, WANTED, lambda _: None)
    assert compare_table(account, restored, WANTED) == []


def _other_key(arguments: dict[str, Any]) -> None:
    arguments["KeySchema"] = KEYS[:1]
    _drop(arguments, "sk")


def _drop(arguments: dict[str, Any], attribute: str) -> None:
    definitions = arguments["AttributeDefinitions"]
    arguments["AttributeDefinitions"] = [each for each in definitions if each["AttributeName"] != attribute]


def _number(arguments: dict[str, Any]) -> None:
    for each in arguments["AttributeDefinitions"]:
        if each["AttributeName"] == "dueSort":
            each["AttributeType"] = "N"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_other_key, "its key is pk, but the template needs pk, sk"),
        (_number, "the attribute dueSort has the type N, but the template needs S"),
        (
            lambda it: it["StreamSpecification"].update(StreamViewType="NEW_IMAGE"),
            "its stream has the view NEW_IMAGE, but the template needs NEW_AND_OLD_IMAGES",
        ),
        (
            lambda it: it["GlobalSecondaryIndexes"][4].update(Projection={"ProjectionType": "ALL"}),
            "the index byLabel has the key labelHost, labelSort and ALL, but the template needs the key labelHost",
        ),
        (
            lambda it: it["GlobalSecondaryIndexes"][4].update(
                KeySchema=[
                    {"AttributeName": "labelHost", "KeyType": "HASH"},
                    {"AttributeName": "listSort", "KeyType": "RANGE"},
                ]
            ),
            "the index byLabel has the key labelHost, listSort and KEYS_ONLY",
        ),
    ],
)
def test_a_difference_that_no_call_can_remove_is_refused_before_any_change(
    account: Account, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    def and_unprotected(arguments: dict[str, Any]) -> None:
        change(arguments)
        arguments["DeletionProtectionEnabled"] = False
        used = {
            key["AttributeName"] for each in arguments["GlobalSecondaryIndexes"] for key in each["KeySchema"]
        }
        for name in (
            {each["AttributeName"] for each in arguments["AttributeDefinitions"]} - used - {"pk", "sk"}
        ):
            _drop(arguments, name)

    name = _create(account, and_unprotected)
    before = _everything(account, name)
    with pytest.raises(DeployError) as raised:
        update_table(account, name, WANTED, pytest.fail)
    assert words in str(raised.value)
    assert "Nothing was changed" in str(raised.value)
    assert _everything(account, name) == before


def test_a_ttl_on_another_attribute_is_refused_with_the_commands_to_run(account: Account) -> None:
    """DynamoDB rejects a second change of the TTL within an hour, so the command can't make both."""
    name = _create(account)
    account.client("dynamodb").update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    before = _everything(account, name)
    with pytest.raises(DeployError, match=rf"--table-name {name} .*Enabled=false,AttributeName=expires"):
        update_table(account, name, WANTED, pytest.fail)
    assert _everything(account, name) == before
    ttl = {"TimeToLiveStatus": "DISABLING", "AttributeName": "purgeAt"}
    [found] = [each for each in differences(before[0], ttl, before[2], WANTED) if "TTL" in each.text]
    assert found.refused


def _everything(account: Account, name: str) -> tuple[Any, Any, Any]:
    dynamodb = account.client("dynamodb")
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    return (
        dynamodb.describe_table(TableName=name)["Table"],
        dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
        backups,
    )


def _documented() -> dict[str, Any]:
    """A description as DynamoDB's documentation of DescribeTable shows it, for the template's table."""
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/t"
    indexes = [
        {
            **index, "IndexStatus": "ACTIVE", "IndexArn": f"{arn}/index/{index['IndexName']}", "IndexSizeBytes": 0,
            "ItemCount": 0, "KeySchema": index["KeySchema"][::-1],
            "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        }
        for index in reversed(WANTED["GlobalSecondaryIndexes"])
    ]  # fmt: skip
    return {
        "TableName": "t", "TableArn": arn, "TableId": "x", "TableStatus": "ACTIVE", "ItemCount": 41_002,
        "KeySchema": KEYS, "AttributeDefinitions": WANTED["AttributeDefinitions"][::-1],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}, "DeletionProtectionEnabled": True,
        "GlobalSecondaryIndexes": indexes, "LatestStreamArn": f"{arn}/stream/2026-11-21T00:00:00.000",
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        "SSEDescription": {"Status": "ENABLED", "SSEType": "KMS"},
        "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
    }  # fmt: skip


def test_the_order_in_which_dynamodb_lists_keys_and_indexes_is_no_difference() -> None:
    ttl = {"TimeToLiveStatus": "ENABLED", "AttributeName": "purgeAt"}
    backups = {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"},
    }
    described = _documented()
    assert differences(described, ttl, backups, WANTED) == []
    extra = {**described["GlobalSecondaryIndexes"][0], "IndexName": "theirs"}
    described["GlobalSecondaryIndexes"].append(extra)
    [found] = differences(described, ttl, backups, WANTED)
    assert (found.operation, found.refused) == (None, False)
    assert found.text == "the index theirs is not in the template; it costs writes and is not used"


def test_an_update_that_was_interrupted_waits_for_the_index_that_is_being_filled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DynamoDB creates one index at a time, and a second creation would be rejected."""
    monkeypatch.setattr(tables, "POLL_SECONDS", 0)
    described = _documented()
    first = described["GlobalSecondaryIndexes"][0]
    states: list[tuple[str, dict[str, Any]]] = [
        ("UPDATING", {}),
        ("ACTIVE", {"IndexStatus": "CREATING", "Backfilling": False}),
        ("ACTIVE", {"IndexStatus": "CREATING", "Backfilling": True}),
        ("ACTIVE", {}),
    ]

    class Client:
        def describe_table(self, **_: str) -> dict[str, Any]:
            status, index = states.pop(0)
            indexes = [{**first, **index}, *described["GlobalSecondaryIndexes"][1:]]
            return {"Table": {**described, "TableStatus": status, "GlobalSecondaryIndexes": indexes}}

    said = list[str]()
    tables.wait_until_active(Client(), "t", said.append)
    assert states == []
    assert said == [
        "Waiting: the table t is UPDATING …",
        "Waiting: the index due of t (41,002 items) is CREATING …",
    ]


def test_backups_of_a_restored_table_are_enabled_as_soon_as_they_are_available(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P1: a restored table has no backups for some minutes; any other error is raised."""
    monkeypatch.setattr(tables, "POLL_SECONDS", 0)
    unavailable = "ContinuousBackupsUnavailableException"
    codes = [unavailable, unavailable, "", "AccessDenied"]

    def update(**_: Any) -> None:
        if code := codes.pop(0):
            raise ClientError({"Error": {"Code": code}}, "UpdateContinuousBackups")

    dynamodb = SimpleNamespace(update_continuous_backups=update)
    off = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"}}
    ttl = {"TimeToLiveStatus": "ENABLED", "AttributeName": "purgeAt"}
    [difference] = differences(_documented(), ttl, off, WANTED)
    tables._update(dynamodb, "t", difference)
    assert codes == ["AccessDenied"]
    with pytest.raises(ClientError, match="AccessDenied"):
        tables._update(dynamodb, "t", difference)
