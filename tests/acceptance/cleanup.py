"""Remove everything that a run has created, also after it was killed."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.operate.admin import make_admin
from tests.acceptance.run import Run
from tests.acceptance.steps.audit import partitions
from tests.support.audit import dump_of

_BATCH: Final = 25
_KEYS: Final = "TEAM#KEY"  # the list of API keys in the index byHost


def clean_up(run: Run) -> Iterator[str]:
    """Delete the run's hosts, links, bookings, files, keys and helper stack; yield what was removed and what stays."""
    if not run.api_key:  # a run that was killed: its key is lost
        run.api_key = make_admin(run.target.account, run.target.stage, run.state.name)["apiKey"]
    run.hosts = [each["hostId"] for each in run.pages("/v1/hosts", "hosts") if each["name"] == run.state.name]
    yield f"{_delete_items(run)} items of {len(run.hosts)} hosts"
    yield f"{_delete_files(run)} files"
    yield f"{_delete_keys(run)} API keys"
    if run.state.helper:
        _delete_helper(run)
        yield f"the stack {run.state.helper}"
    run.state.remove()
    yield "stays until it expires: log lines, archived events, records of emails; they name no person"


def _delete_items(run: Run) -> int:
    """Delete the items of the run's hosts until none is left: the outbox may still write history of them."""
    wanted, deleted = partitions(run), 0
    client, table = run.target.client("dynamodb"), run.target.outputs["TableName"]

    def is_empty() -> bool:
        nonlocal deleted
        found = sorted(dump_of(client, table, wanted))
        for at in range(0, len(found), _BATCH):
            keys = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in found[at : at + _BATCH]]
            asked = {table: [{"DeleteRequest": {"Key": key}} for key in keys]}
            while asked:
                asked = client.batch_write_item(RequestItems=asked).get("UnprocessedItems", {})
        deleted += len(found)
        return not found

    for _ in range(2):  # between two looks, a late consumer may have written
        run.wait_until(is_empty)
    return deleted


def _delete_files(run: Run) -> int:
    """Delete the hosts' files and results, in all versions."""
    s3, bucket = run.target.client("s3"), run.target.outputs["ImportBucketName"]
    found: list[dict[str, Any]] = []
    for host in run.hosts:
        for folder in ("imports", "results"):
            for page in s3.get_paginator("list_object_versions").paginate(
                Bucket=bucket, Prefix=f"{folder}/{host}/"
            ):
                found += [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    for each in found:
        s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
    return len(found)


def _delete_keys(run: Run) -> int:
    """Delete the API keys that have the run's name; the last one is the key that this clean-up uses."""
    client, table, count = run.target.client("dynamodb"), run.target.outputs["TableName"], 0
    pages = client.get_paginator("query").paginate(
        TableName=table,
        IndexName="byHost",
        KeyConditionExpression="hostKey = :keys",
        ExpressionAttributeValues={":keys": {"S": _KEYS}},
    )
    for page in pages:
        for entry in page["Items"]:
            key = {name: entry[name] for name in ("pk", "sk")}
            item = client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
            if item.get("name", {}).get("S") == run.state.name:
                client.delete_item(TableName=table, Key=key)
                count += 1
    return count


def _delete_helper(run: Run) -> None:
    client, name = run.target.client("cloudformation"), run.state.helper
    with contextlib.suppress(ClientError):  # it may not exist: the run was killed before
        stack_id = client.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        client.delete_stack(StackName=name)
        config = {"Delay": run.target.poll_seconds, "MaxAttempts": int(900 / run.target.poll_seconds)}
        client.get_waiter("stack_delete_complete").wait(StackName=stack_id, WaiterConfig=config)
