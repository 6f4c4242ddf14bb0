"""The one table, made on a local engine from the same definition that CloudFormation gets."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FRAGMENT: Final = Path(__file__).parents[1] / "template" / "table.json"

# What CloudFormation takes and CreateTable does not. Point-in-time recovery has nothing to recover locally.
_NOT_FOR_CREATE: Final = ("PointInTimeRecoverySpecification", "TimeToLiveSpecification")


def table_properties() -> dict[str, Any]:
    """Return the properties of the resource `Table` in `infra/template/table.json`."""
    properties: dict[str, Any] = json.loads(FRAGMENT.read_text())["Resources"]["Table"]["Properties"]
    return properties


def create_table_arguments(name: str) -> dict[str, Any]:
    """Return the arguments of `create_table` that make what the template says, under `name`."""
    arguments = {key: value for key, value in table_properties().items() if key not in _NOT_FOR_CREATE}
    arguments["StreamSpecification"] = {"StreamEnabled": True, **arguments["StreamSpecification"]}
    return {"TableName": name, **arguments}


def ensure_table(client: "DynamoDBClient", name: str) -> bool:
    """Make the table if there is none of that name, and wait until it is active. Returns whether it was made.

    TTL is asked for each time: an engine may have been stopped between the two calls.
    """
    try:
        client.create_table(**create_table_arguments(name))
    except client.exceptions.ResourceInUseException:
        created = False
    else:
        created = True
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    wanted = table_properties()["TimeToLiveSpecification"]
    described = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if described.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"}:
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
    return created
