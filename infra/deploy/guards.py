"""Check a stage's file against its stack before a deployment: same table, same keys, and nothing opens unasked."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.deploy.adoption import Adopted
from infra.deploy.table import compare_table
from infra.stack.account import Account, DeployError, find_table
from infra.stack.stack_state import StackState, stack_closes
from infra.stack.stage import CLOSED, CLOSINGS, Stage

_RANK: Final[Mapping[str, int]] = {closing: rank for rank, closing in enumerate(CLOSINGS)}

Say = Callable[[str], None]


def checked_stage(stage: Stage, stack: StackState, *, switch: bool, reopen: bool, say: Say) -> Stage:
    """Return the stage to deploy, with the table and the signing keys that its stack uses if the file names none.

    A checkout without the latest version of the stage's file would replace the table of a restored stage with an empty
    one, create new signing keys, with which no link works, or open a stage during a restore. Raise `DeployError` if the
    file names another table or other keys than the stack uses, unless `switch`, if it would open what is closed, unless
    `reopen`, and in any case if it would put a table into use whose restore has not ended.
    """
    _check_restored(stage, stack)
    if not stack.exists:
        return stage
    if not reopen:
        _check_stays_closed(stage, stack)
    stage = _with_opened(stage, stack, say)
    for kind in (_TABLE, _KEYS):
        stage = _with_used(kind, stage, stack, say, switch=switch)
    if "no" in {each.parameters.get(CLOSED, "no") for each in (stack, stage)}:
        _check_no_switch(stage, stack)
    return stage


def with_used_keys(stage: Stage, stack: StackState, say: Say) -> Stage:
    """Return the stage with the signing keys that its stack uses but does not own, if the file names none.

    Raise `DeployError` if the file names others: with them, no link and no booking's URL works.
    """
    return _with_used(_KEYS, stage, stack, say, switch=False)


@dataclass(frozen=True)
class _Existing:
    """A kind of resource that a stage's file may name: `field` in the file, `output` and `resource` of the stack."""

    field: str
    output: str
    resource: str
    name: str
    pronoun: str
    is_same: Callable[[str, str], bool]
    others: str  # what other ones lead to


def _is_secret(named: str, arn: str) -> bool:
    """Return whether a secret's name, partial ARN or ARN names the secret with an ARN."""
    return re.fullmatch(rf"(arn:\S+:secret:)?{re.escape(named)}(-\w{{6}})?", arn) is not None


_TABLE: Final = _Existing(
    "table", "TableName", "Table", "table", "it", str.__eq__, "the stage then has the data of that table."
)
_KEYS: Final = _Existing(
    "signing_secret",
    "SigningSecretId",
    "SigningSecret",
    "signing keys",
    "them",
    _is_secret,
    "no link works then.",
)


def _with_used(kind: _Existing, stage: Stage, stack: StackState, say: Say, *, switch: bool) -> Stage:
    """Return the stage with what its stack uses but does not own, if the file names none of that kind."""
    used, named = stack.outputs.get(kind.output), getattr(stage, kind.field)
    if not used or (named and kind.is_same(named, used)):
        return stage
    if named is None:
        if stack.resources.get(kind.resource) == used:
            return stage
        say(
            f"{_file(stage)} doesn't name the {kind.name} that the stack uses, {used}; using {kind.pronoun}. Add "
            f"{kind.pronoun} to the file."
        )
        change: dict[str, Any] = {kind.field: used}
        return dataclasses.replace(stage, **change)
    if not switch:
        raise DeployError(
            f"{_file(stage)} names the {kind.name} {named}, but {stack.name} uses {used}. Correct the file. To use "
            f"{named} from now on: make deploy STAGE={stage.name} SWITCH=yes; {kind.others}"
        )
    return stage


def _with_opened(stage: Stage, stack: StackState, say: Say) -> Stage:
    """Return the stage with open bookings if a restore has opened them and was killed before it noted that."""
    is_opened = stage.restore is not None and stage.restore.opening
    if not is_opened or stack.parameters.get(CLOSED, "no") != "no":
        return stage
    say(
        f"The restore in {_file(stage)} has opened bookings, so they stay open. Run make restore STAGE={stage.name} "
        "once more to end it."
    )
    return dataclasses.replace(stage, parameters={**stage.parameters, CLOSED: "no"})


def _check_restored(stage: Stage, stack: StackState) -> None:
    """Raise `DeployError` if a deployment would open or use the table of a restore that has not ended.

    P1: links that were used since the moment of the restore are active in it until the events are replayed.
    """
    progress = stage.restore
    if progress is None or progress.opening or progress.table is None:
        return
    used = stack.outputs.get("TableName") if stack.exists else None
    if used == progress.table:
        is_refused = CLOSINGS.index(stage.closed) < CLOSINGS.index(stack_closes(stack))
    elif used:  # only the restore puts its table into use, after it has closed everything
        is_refused = stage.table == progress.table
    else:
        is_refused = stage.table == progress.table and stage.closed != "all"
    if is_refused:
        raise DeployError(
            f"{_file(stage)} has a restore that has not ended: links that were used since "
            f"{progress.to.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC may be active in the table {progress.table}. Nothing "
            f"was changed. Continue the restore: make restore STAGE={stage.name}"
        )


def _check_stays_closed(stage: Stage, stack: StackState) -> None:
    """Raise `DeployError` if a deployment would open something that is closed: no < yes < all."""
    closed, wanted = stack.parameters.get(CLOSED, "no"), stage.parameters.get(CLOSED, "no")
    # P1: under `all`, a restore applies archived events. A change meanwhile may take the sequence of an archived use,
    # which then would never be counted.
    if wanted not in _RANK or _RANK[wanted] >= _RANK.get(closed, 0):
        return
    what, opened = ("Bookings", "bookings") if closed == "yes" else ("All changes", "changes")
    raise DeployError(
        f"{what} of {stack.name} are closed, so a restore may be running, and {_file(stage)} would open {opened}. Get "
        f"the latest version of the file, or continue with make restore STAGE={stage.name}. To open {opened}: OPEN=yes"
    )


def _check_no_switch(stage: Stage, stack: StackState) -> None:
    """Raise `DeployError` if a stage changes to another table or other keys while bookings are or will be open.

    P1: a rollback would return to the old table, in which the links that were used meanwhile are active.
    """
    changed = []
    for kind in (_TABLE, _KEYS):
        used, named = stack.outputs.get(kind.output), getattr(stage, kind.field)
        if used and named and not kind.is_same(named, used):
            changed.append(f"the {kind.name} {named} in place of {used}")
    if changed:
        raise DeployError(
            f"{_file(stage)} uses {' and '.join(changed)} while bookings are open. If the deployment is rolled back, "
            "bookings that were made meanwhile are lost. Deploy three times: first only with BookingsClosed yes, then "
            "also with SWITCH=yes, and at the end with BookingsClosed no and OPEN=yes"
        )


def _file(stage: Stage) -> str:
    return f"infra/stages/{stage.name}.json"


def check_data_is_named(stage: Stage, stack: StackState, adopted: Adopted, *, empty: bool) -> None:
    """Raise `DeployError` if a deleted stack left its archive, but the stage's file doesn't name its table and keys.

    With an empty table or new keys, no link works, and the archive would get the events of a second table. `empty`
    allows that. A stack whose creation failed had no data, and at most its bus is left.
    """
    if empty or stack.status is not None or adopted.archive is None:
        return
    named = {"table": stage.table, "signing keys": stage.signing_secret}
    missing = " and no ".join(what for what, name in named.items() if not name)
    if missing:
        raise DeployError(
            f"A deleted stack of this stage left the archive {adopted.archive.name}, but {_file(stage)} names no "
            f"{missing} of that stack, and with new ones no link works. Nothing was changed. Get the latest version of "
            "the file, which make destroy wrote, or name what it listed. To create a stage without its data: EMPTY=yes"
        )


def check_own_table(
    account: Account, stack: StackState, adopted: Adopted, template: Mapping[str, Any]
) -> None:
    """Raise `DeployError` if the stack's own table lacks several indexes: CloudFormation creates only one at a time."""
    name = stack.resources.get("Table") if stack.exists and not adopted.table else None
    try:
        if not name or find_table(account, name) is None:
            return
        found = compare_table(account, name, template["Resources"]["Table"]["Properties"])
    except ClientError as error:
        if "AccessDenied" in error.response["Error"]["Code"]:
            return  # CloudFormation then reports the same later
        raise
    missing = [each.text for each in found if "GlobalSecondaryIndexUpdates" in each.arguments]
    if len(missing) > 1:
        raise DeployError(
            f"{'; '.join(missing)}: CloudFormation creates one index of a table in each deployment. "
            "Deploy each release that adds one, in their order (CHANGELOG.md)."
        )
