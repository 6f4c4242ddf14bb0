"""Compare an existing table with the template's, and update it, because CloudFormation doesn't manage it.

A table that a restore made, that a destroyed stack left or that another stack used is not a resource of the stack, so
no deployment changes it. docs/adr/0030-adopted-resources.md says why it is not imported.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.stack.account import Account, DeployError

POLL_SECONDS: Final = 5.0
_WAIT_SECONDS: Final = 24 * 3600  # an index over many items is filled for hours
_BACKUPS_SECONDS: Final = 30 * 60

Say = Callable[[str], None]


@dataclass(frozen=True)
class Difference:
    """One difference between a table and the template.

    `operation` and `arguments` are the call that removes it. Without `operation`, it can't be removed by a call: if it
    is `refused`, the table can't be used; otherwise the difference is harmless.
    """

    text: str
    operation: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    refused: bool = False


def compare_table(account: Account, name: str, wanted: Mapping[str, Any]) -> list[Difference]:
    """Return the differences of a table from the template's properties `wanted`. Raise `ClientError`."""
    dynamodb = account.client("dynamodb")
    described = dynamodb.describe_table(TableName=name)["Table"]
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    return differences(described, ttl, backups, wanted)


def differences(
    described: Mapping[str, Any],
    ttl: Mapping[str, Any],
    backups: Mapping[str, Any],
    wanted: Mapping[str, Any],
) -> list[Difference]:
    """Return the differences of a table from the template, in the order in which they are removed.

    `described`, `ttl` and `backups` are DynamoDB's descriptions of the table; `wanted` has the properties of the
    template's table. Encryption, table class and tags are not compared.
    """
    return [
        *_key_differences(described, wanted),
        *_mode_differences(described, wanted),
        *_stream_differences(described, wanted),
        *_index_differences(described, wanted),
        *_ttl_differences(described["TableName"], ttl, wanted["TimeToLiveSpecification"]),
        *_backup_differences(backups, wanted["PointInTimeRecoverySpecification"]),
    ]


def update_table(account: Account, name: str, wanted: Mapping[str, Any], say: Say) -> None:
    """Give an existing table the template's settings and indexes, one after the other; wait for each.

    An interrupted update can be repeated. Raise `DeployError`, before any change, for a difference that can't be
    removed.
    """
    dynamodb = account.client("dynamodb")
    wait_until_active(dynamodb, name, say)
    found = compare_table(account, name, wanted)
    refused = [each.text for each in found if each.refused]
    if refused:
        reasons = "\n".join(f"  {text}" for text in refused)
        raise DeployError(f"The table {name} does not fit the template:\n{reasons}\nNothing was changed.")
    for each in found:
        if each.operation is None:
            say(f"{name}: {each.text}")
            continue
        say(f"{name}: {each.text}; updating …")
        _update(dynamodb, name, each)
        wait_until_active(dynamodb, name, say)


def wait_until_active(dynamodb: Any, name: str, say: Say) -> None:
    """Wait until a table and all its indexes are active. Raise `DeployError` if they never are, `ClientError`."""
    give_up = time.monotonic() + _WAIT_SECONDS
    said = None
    while pending := _pending(dynamodb.describe_table(TableName=name)["Table"]):
        if time.monotonic() > give_up:
            raise DeployError(f"{pending}; run the command again later.")
        if pending != said:
            say(f"Waiting: {pending} …")
            said = pending
        time.sleep(POLL_SECONDS)


def _pending(described: Mapping[str, Any]) -> str | None:
    """Return what a table is not ready for, or None if the table and its indexes are active."""
    name = described["TableName"]
    if described["TableStatus"] != "ACTIVE":
        return f"the table {name} is {described['TableStatus']}"
    for index in described.get("GlobalSecondaryIndexes", ()):
        status = index.get("IndexStatus", "ACTIVE")
        if status != "ACTIVE" or index.get("Backfilling"):
            items = described.get("ItemCount", 0)
            return f"the index {index['IndexName']} of {name} ({items:,} items) is {status}"
    return None


def _update(dynamodb: Any, name: str, difference: Difference) -> None:
    """Call the operation that removes a difference.

    A newly restored table rejects point-in-time recovery for some minutes, so that call is retried.
    """
    give_up = time.monotonic() + _BACKUPS_SECONDS
    while True:
        try:
            getattr(dynamodb, str(difference.operation))(TableName=name, **difference.arguments)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code != "ContinuousBackupsUnavailableException" or time.monotonic() > give_up:
                raise
        else:
            return
        time.sleep(POLL_SECONDS)


def _key_differences(described: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the differences of the table's key and of attribute types, which can't be changed."""
    found, needed = _key(described), _key(wanted)
    if found != needed:
        yield Difference(f"its key is {found}, but the template needs {needed}", refused=True)
    types = {each["AttributeName"]: each["AttributeType"] for each in described["AttributeDefinitions"]}
    for each in wanted["AttributeDefinitions"]:
        name, kind = each["AttributeName"], each["AttributeType"]
        if types.get(name, kind) != kind:
            text = f"the attribute {name} has the type {types[name]}, but the template needs {kind}"
            yield Difference(text, refused=True)


def _mode_differences(described: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the differences of the billing mode and the deletion protection."""
    billing = described.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    if billing != wanted["BillingMode"]:
        text = f"its billing mode is {billing}, not {wanted['BillingMode']}"
        yield Difference(text, "update_table", {"BillingMode": wanted["BillingMode"]})
    protected = wanted["DeletionProtectionEnabled"]
    if described.get("DeletionProtectionEnabled", False) != protected:
        text = "deletion protection is off"
        yield Difference(text, "update_table", {"DeletionProtectionEnabled": protected})


def _stream_differences(described: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the difference of the stream.

    A stream's view can be changed only by turning the stream off, which would lose the records that the outbox has not
    read (P6), so that is refused.
    """
    found, needed = described.get("StreamSpecification", {}), wanted["StreamSpecification"]
    if not found.get("StreamEnabled"):
        specification = {"StreamEnabled": True, **needed}
        yield Difference("the stream is off", "update_table", {"StreamSpecification": specification})
    elif found["StreamViewType"] != needed["StreamViewType"]:
        yield Difference(
            f"its stream has the view {found['StreamViewType']}, but the template needs {needed['StreamViewType']}. "
            "Close bookings, wait until the outbox has read the stream, turn it off, and run the command again",
            refused=True,
        )


def _index_differences(described: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the differences of the indexes. DynamoDB creates one index at a time."""
    found = {each["IndexName"]: each for each in described.get("GlobalSecondaryIndexes", ())}
    types = {each["AttributeName"]: each for each in wanted["AttributeDefinitions"]}
    missing = []
    for index in wanted["GlobalSecondaryIndexes"]:
        name = index["IndexName"]
        if name not in found:
            attributes = [types[key["AttributeName"]] for key in index["KeySchema"]]
            arguments = {
                "AttributeDefinitions": attributes,
                "GlobalSecondaryIndexUpdates": [{"Create": index}],
            }
            missing.append(Difference(f"the index {name} is missing", "update_table", arguments))
        elif (had := _shape(found[name])) != (needed := _shape(index)):
            text = (
                f"the index {name} has {had}, but the template needs {needed}. If nothing else uses it, delete it; "
                "the command then creates it"
            )
            yield Difference(text, refused=True)
    for name in sorted(set(found) - {index["IndexName"] for index in wanted["GlobalSecondaryIndexes"]}):
        yield Difference(f"the index {name} is not in the template; it costs writes and is not used")
    yield from missing


def _ttl_differences(table: str, ttl: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the difference of the TTL, which needs up to an hour between two changes."""
    attribute, status = wanted["AttributeName"], ttl.get("TimeToLiveStatus", "DISABLED")
    if status == "DISABLING":
        text = "its TTL is being turned off, which takes up to an hour; run the command again then"
        yield Difference(text, refused=True)
    elif status == "DISABLED":
        yield Difference("TTL is off", "update_time_to_live", {"TimeToLiveSpecification": wanted})
    elif ttl["AttributeName"] != attribute:
        command = "aws dynamodb update-time-to-live --table-name"
        yield Difference(
            f"its TTL is on {ttl['AttributeName']}, but the template needs {attribute}. Run:\n"
            f"    {command} {table} --time-to-live-specification "
            f"Enabled=false,AttributeName={ttl['AttributeName']}\n"
            "  and, an hour later:\n"
            f"    {command} {table} --time-to-live-specification Enabled=true,AttributeName={attribute}",
            refused=True,
        )


def _backup_differences(backups: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the difference of point-in-time recovery."""
    recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus", "DISABLED")
    if recovery != "ENABLED":
        text = "point-in-time recovery is off"
        yield Difference(text, "update_continuous_backups", {"PointInTimeRecoverySpecification": wanted})


def _key(described: Mapping[str, Any]) -> str:
    """Return a readable key schema, the partition key first."""
    names = {each["KeyType"]: each["AttributeName"] for each in described["KeySchema"]}
    return ", ".join(names[kind] for kind in ("HASH", "RANGE") if kind in names)


def _shape(index: Mapping[str, Any]) -> str:
    """Return a readable key schema and projection of an index."""
    projection = index["Projection"]
    attributes = sorted(projection.get("NonKeyAttributes", ()))
    return f"the key {_key(index)} and {' '.join([projection['ProjectionType'], *attributes])}"
