"""Remove everything that a run has created, also after it was killed."""

import time
from collections.abc import Collection, Iterator
from typing import Any, Final

from infra.operate.admin import make_admin
from infra.stack.stacks import stack_status
from tests.acceptance.meter import CALL
from tests.acceptance.run import Run
from tests.acceptance.steps.audit import partitions
from tests.support.audit import dump_of

_BATCH: Final = 25
_KEYS: Final = "TEAM#KEY"  # the list of API keys in the index byHost


def clean_up(run: Run) -> Iterator[str]:
    """Delete the run's helper stack, hosts, links, bookings, files and keys; yield what was removed and what stays.

    The helper stack comes first, because it has a public URL and needs no API key. The hosts come last: a clean-up that
    was killed finds everything else by them.
    """
    if run.state.helper:
        _delete_helper(run)
        yield f"the stack {run.state.helper}"
    if not run.api_key:  # a run that was killed: its key is lost
        run.api_key = make_admin(run.target.account, run.target.stage, run.state.name)["apiKey"]
    run.hosts = [each["hostId"] for each in run.pages("/v1/hosts", "hosts") if each["name"] == run.state.name]
    yield f"{_delete_files(run)} files"
    yield f"{_delete_items(run)} items of {len(run.hosts)} hosts; a second look later found nothing"
    yield f"{_delete_keys(run)} API keys"
    run.state.remove()
    yield "stays until it expires: log lines, archived events, records of emails; they name no person"


def _delete_items(run: Run) -> int:
    """Delete the items of the run's hosts until two looks find none: consumers may still write history of them."""
    hosts = {f"HOST#{host}" for host in run.hosts}
    wanted: set[str] = set()
    deleted = 0

    def is_empty() -> bool:
        nonlocal deleted
        wanted.update(partitions(run))
        found = _delete(run, wanted - hosts)
        deleted += found
        return not found

    run.wait_until(is_empty)
    while True:
        time.sleep(run.target.settle_seconds)
        if is_empty():
            break
    return deleted + _delete(run, hosts)


def _delete(run: Run, wanted: Collection[str]) -> int:
    """Delete the items of some partitions; return how many there were. A host's own item comes last."""
    client, table = run.target.client("dynamodb"), run.target.outputs["TableName"]
    found = sorted(dump_of(client, table, wanted), key=lambda key: (key[1] == "HOST", key))
    for at in range(0, len(found), _BATCH):
        keys = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in found[at : at + _BATCH]]
        asked = {table: [{"DeleteRequest": {"Key": key}} for key in keys]}
        while asked:
            run.meter.add(CALL, len(keys))
            asked = client.batch_write_item(RequestItems=asked).get("UnprocessedItems", {})
    return len(found)


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
    """Delete the helper stack, unless the run was killed before it existed. Raise botocore's `ClientError`."""
    client, name = run.target.client("cloudformation"), str(run.state.helper)
    if stack_status(client, name) is None:
        return
    stack_id = client.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    client.delete_stack(StackName=name)
    config = {"Delay": run.target.poll_seconds, "MaxAttempts": int(900 / run.target.poll_seconds)}
    client.get_waiter("stack_delete_complete").wait(StackName=stack_id, WaiterConfig=config)
