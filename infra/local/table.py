"""The table on a local engine, created from the template's definition."""

import json
from typing import TYPE_CHECKING, Any, Final

from infra.paths import FRAGMENTS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# CloudFormation accepts these properties, but CreateTable does not. A local table needs no point-in-time recovery.
_NOT_FOR_CREATE: Final = ("PointInTimeRecoverySpecification", "TimeToLiveSpecification")


def table_properties() -> dict[str, Any]:
    """Return the properties of the resource `Table` in `infra/template/table.json`."""
    properties: dict[str, Any] = json.loads((FRAGMENTS / "table.json").read_text())["Resources"]["Table"][
        "Properties"
    ]
    return properties


def create_table_arguments(name: str) -> dict[str, Any]:
    """Return the arguments of `create_table` for a table like the template's, with this name."""
    arguments = {key: value for key, value in table_properties().items() if key not in _NOT_FOR_CREATE}
    arguments["StreamSpecification"] = {"StreamEnabled": True, **arguments["StreamSpecification"]}
    return {"TableName": name, **arguments}


def ensure_table(client: "DynamoDBClient", name: str) -> bool:
    """Create the table if it does not exist, and wait until it is active. Return whether it was created.

    TTL is checked each time, because an engine may have been stopped after the table was created and before TTL was
    enabled.
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
