"""Restore a table to a point in time, and enable the features that DynamoDB does not restore."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from infra.deploy.table import update_table
from infra.local.table import table_properties
from infra.stack.account import Account, find_table

_MARK: Final = "-restored-"


def restored_name(source: str, now: datetime) -> str:
    """Return the name of the table to which a table is restored."""
    return f"{source.partition(_MARK)[0]}{_MARK}{now:%Y%m%d%H%M%S}"


def is_restored(table: Mapping[str, Any]) -> bool:
    """Return whether a table was created by a restore; `table` is its description."""
    return "RestoreSummary" in table or _MARK in table["TableName"]


def restore_table(
    account: Account, source: str, target: str, moment: datetime, say: Callable[[str], None]
) -> None:
    """Start to restore a table, as it was at a moment, to a new table, unless that was begun before."""
    if find_table(account, target) is not None:
        return
    say(f"Restoring {source} as of {moment:%Y-%m-%d %H:%M:%S} UTC to {target}; this takes minutes to hours …")
    account.client("dynamodb").restore_table_to_point_in_time(
        SourceTableName=source,
        TargetTableName=target,
        RestoreDateTime=moment,
        BillingModeOverride="PAY_PER_REQUEST",
    )


def complete_table(account: Account, table: str, say: Callable[[str], None]) -> None:
    """Wait for a restored table, and add the settings and indexes that it lacks. Raise `DeployError`."""
    update_table(account, table, table_properties(), say)
