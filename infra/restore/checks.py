"""Check that a restore can begin or continue, before it closes anything: moment, table, account and permissions."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.restore.applied import sent_messages
from infra.restore.replay import find_replay, list_replays
from infra.stack.account import Account, DeployError, find_table
from infra.stack.restore_progress import RestoreProgress
from infra.stack.stack_state import StackState, stack_closes
from infra.stack.stage import CLOSED, CLOSINGS, Closed, Stage
from infra.stack.unpublished import waiting_messages

# DynamoDB may keep the moment of a restore without its fraction of a second.
_PRECISION: Final = timedelta(seconds=1)


def closes_less(stack: StackState, closed: Closed) -> bool:
    """Return whether a stack closes less than what is given."""
    return CLOSINGS.index(stack_closes(stack)) < CLOSINGS.index(closed)


def check_no_other_restore(stage: Stage, stack: StackState) -> None:
    """Raise `DeployError` if the stack closes more than the stage's file: another restore may be running."""
    closed = stack_closes(stack)
    if CLOSINGS.index(closed) > CLOSINGS.index(stage.closed):
        raise DeployError(
            f"{stack.name} is deployed with {CLOSED}={closed}, but infra/stages/{stage.name}.json has no restore: "
            "another one may be running elsewhere. Continue it with the latest version of that file. If the file is "
            "lost, give the table that it restored: TABLE=… If no restore is running, set "
            f"{CLOSED} to {closed} in that file, and run the command again: bookings stay closed until the end."
        )


def check_place(account: Account, stage: Stage, known: RestoreProgress) -> None:
    """Raise `DeployError` if a restore was begun in another account or region."""
    begun, here = (known.account, known.region), (account.account_id, account.region)
    if begun not in {("", ""), here}:
        raise DeployError(
            f"infra/stages/{stage.name}.json has a restore in account {begun[0]}, {begun[1]}, but these credentials "
            f"are for {here[0]}, {here[1]}. Continue it there. If the file was copied, remove `restore` from it."
        )


def restored_moment(
    account: Account, name: str, moment: datetime | None, say: Callable[[str], None]
) -> datetime:
    """Return the moment from which to replay into a table that was restored before.

    Without a moment, it is the one to which the table was restored. Raise `DeployError` if the table doesn't exist, or
    was restored to an earlier moment: the changes in between are neither in the table nor replayed (P1).
    """
    table = find_table(account, name)
    if table is None:
        raise DeployError(f"There is no table {name} in {account.region}: correct TABLE, or omit it.")
    known: datetime | None = table.get("RestoreSummary", {}).get("RestoreDateTime")
    if known is None:
        if moment is None:
            raise DeployError(
                f"DynamoDB doesn't know to which moment {name} was restored. Give it: TO=2026-11-21T10:00:00Z"
            )
        say(f"DynamoDB doesn't know to which moment {name} was restored, so TO can't be checked.")
        return moment
    known = known.astimezone(UTC)  # botocore returns it in the time zone of the machine
    if moment is None:
        return known
    if known + _PRECISION < moment:
        raise DeployError(
            f"{name} was restored to {known:%Y-%m-%dT%H:%M:%SZ}, before TO, and lacks every change in between. Omit "
            f"TO, or give that moment: TO={known:%Y-%m-%dT%H:%M:%SZ}"
        )
    return moment


def check_moment(account: Account, table: str, moment: datetime) -> None:
    """Raise `DeployError` if a table can't be restored to a moment, before bookings are closed for it."""
    try:
        found = account.client("dynamodb").describe_continuous_backups(TableName=table)
    except ClientError as error:
        if error.response["Error"]["Code"] != "TableNotFoundException":
            raise
        raise DeployError(
            f"The table {table} is gone. Restore it from DynamoDB's system backup, and give the name of the restored "
            "table: TABLE=… (docs/operate.md)"
        ) from error
    window: Mapping[str, Any] = found["ContinuousBackupsDescription"].get(
        "PointInTimeRecoveryDescription", {}
    )
    if window.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise DeployError(
            f"Point-in-time recovery of {table} is disabled, so it can't be restored. Bookings stay as they are. If "
            "you have a backup, restore it by hand, and give the name of the restored table: TABLE=…"
        )
    earliest: datetime = window["EarliestRestorableDateTime"].astimezone(UTC)
    if moment < earliest:
        raise DeployError(
            f"{table} can be restored to {earliest:%Y-%m-%dT%H:%M:%SZ} at the earliest, not to TO. Bookings stay as "
            "they are."
        )


def check_queues(account: Account, found: Mapping[str, str]) -> None:
    """Raise `DeployError` if replayed events of an earlier restore or replay are waiting or could not be applied.

    A new restore would take them for its own: it would stop after hours of closed bookings, or revoke every link.
    """
    waiting = waiting_messages(account, found["RestoreQueueUrl"])
    if waiting:
        raise DeployError(
            f"Replayed events that wait in RestoreQueue: {waiting:,}. Somebody replays the archive. Bookings stay as "
            "they are: run the command again when the queue is empty."
        )
    dead = waiting_messages(account, found["RestoreDlqUrl"])
    if dead:
        raise DeployError(
            f"Messages of an earlier restore or replay in RestoreDlq: {dead:,}. Bookings stay as they are: read the "
            "messages, delete them (docs/operate.md), and run the command again."
        )


def check_permissions(account: Account, found: Mapping[str, str], now: datetime) -> None:
    """Call what the restore needs later and what changes nothing, so that missing permissions don't stop it half-way.

    Raise `ClientError`.
    """
    find_replay(account, "restore-none")
    list(list_replays(account, found))
    sent_messages(account, found, now - timedelta(minutes=1), now)
    account.client("lambda").invoke(FunctionName=found["RestoreFunction"], InvocationType="DryRun")
