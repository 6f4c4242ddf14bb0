"""Restore a table to a point in time, and enable the features that DynamoDB does not restore."""

from collections.abc import Callable
from datetime import UTC, datetime

from infra.deploy.account import Account
from infra.deploy.table import update_table
from infra.local.table import table_properties


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


def complete_table(account: Account, table: str, say: Callable[[str], None]) -> None:
    """Wait for a restored table, and add the settings and indexes that it lacks. Raise `DeployError`."""
    update_table(account, table, table_properties(), say)
