"""Restore a table to a point in time, and enable the features that DynamoDB does not restore."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.deploy.account import Account
from infra.local.table import table_properties

POLL_SECONDS: Final = 5.0
_DELAY_SECONDS: Final = 20
_WAIT_SECONDS: Final = 6 * 3600
_BACKUPS_SECONDS: Final = 30 * 60


def restore_table(account: Account, source: str, moment: datetime, say: Callable[[str], None]) -> str:
    """Start to restore a table's state at a moment to a new table; return the new table's name."""
    dynamodb = account.client("dynamodb")
    target = f"{source.partition('-restored-')[0]}-restored-{datetime.now(UTC):%Y%m%d%H%M%S}"
    say(f"Restoring {source} as of {moment:%Y-%m-%d %H:%M:%S} UTC to {target}; this takes minutes to hours …")
    dynamodb.restore_table_to_point_in_time(
        SourceTableName=source,
        TargetTableName=target,
        RestoreDateTime=moment,
        BillingModeOverride="PAY_PER_REQUEST",
    )
    return target


def complete_table(account: Account, table: str) -> None:
    """Enable a restored table's stream, TTL, point-in-time recovery and deletion protection; wait for each."""
    dynamodb = account.client("dynamodb")
    _wait(dynamodb, table)
    wanted = table_properties()
    described = dynamodb.describe_table(TableName=table)["Table"]
    if not described.get("StreamSpecification", {}).get("StreamEnabled"):
        stream = {"StreamEnabled": True, **wanted["StreamSpecification"]}
        dynamodb.update_table(TableName=table, StreamSpecification=stream)
        _wait(dynamodb, table)
    if not described.get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
        _wait(dynamodb, table)
    ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if ttl.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"}:
        dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification=wanted["TimeToLiveSpecification"]
        )
    enable_backups(dynamodb, table, wanted["PointInTimeRecoverySpecification"])


def enable_backups(dynamodb: Any, table: str, wanted: Mapping[str, Any]) -> None:
    """Enable point-in-time recovery. A newly restored table may reject this for some minutes, so it is retried."""
    give_up = time.monotonic() + _BACKUPS_SECONDS
    while True:
        try:
            dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=wanted)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code != "ContinuousBackupsUnavailableException" or time.monotonic() > give_up:
                raise
        else:
            return
        time.sleep(POLL_SECONDS)


def _wait(dynamodb: Any, table: str) -> None:
    attempts = _WAIT_SECONDS // _DELAY_SECONDS
    config = {"Delay": _DELAY_SECONDS, "MaxAttempts": attempts}
    dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig=config)
