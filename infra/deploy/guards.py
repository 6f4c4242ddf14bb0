"""Check a stage's file against its stack before a deployment: same table, same keys, and nothing opens unasked."""

import dataclasses
import re
from collections.abc import Callable, Mapping
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
    same = with_used_keys(_with_used_table(stage, stack, say, switch=switch), stack, say, switch=switch)
    if "no" in {each.parameters.get(CLOSED, "no") for each in (stack, stage)}:
        _check_no_switch(same, stack)
    return same


def with_used_keys(stage: Stage, stack: StackState, say: Say, *, switch: bool = False) -> Stage:
    """Return the stage with the signing keys that its stack uses but does not own, if the file names none.

    Raise `DeployError` if the file names others, unless `switch`: with other keys, no link and no booking's URL works.
    """
    used, named = stack.outputs.get("SigningSecretId"), stage.signing_secret
    if not used or (named and _is_secret(named, used)):
        return stage
    if named is None:
        if stack.resources.get("SigningSecret") == used:
            return stage
        say(
            f"{_file(stage)} doesn't name the signing keys that the stack uses, {used}; using them. Add them to it."
        )
        return dataclasses.replace(stage, signing_secret=used)
    if not switch:
        raise DeployError(
            f"{_file(stage)} names the signing keys {named}, but {stack.name} uses {used}. Correct the file: with "
            f"other keys, no link works. To use {named} from now on: make deploy STAGE={stage.name} SWITCH=yes"
        )
    return stage


def _with_used_table(stage: Stage, stack: StackState, say: Say, *, switch: bool) -> Stage:
    used = stack.outputs.get("TableName")
    if not used or stage.table == used:
        return stage
    if stage.table is None:
        if stack.resources.get("Table") == used:
            return stage
        say(
            f"{_file(stage)} doesn't name the table that the stack uses, {used}; using it. Add it to the file."
        )
        return dataclasses.replace(stage, table=used)
    if not switch:
        raise DeployError(
            f"{_file(stage)} names the table {stage.table}, but {stack.name} uses {used}. Correct the file. "
            f"To use {stage.table} from now on, with the data in it: SWITCH=yes"
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
    table, secret = stack.outputs.get("TableName"), stack.outputs.get("SigningSecretId")
    changed = []
    if table and stage.table and stage.table != table:
        changed.append(f"the table {stage.table} in place of {table}")
    if secret and stage.signing_secret and not _is_secret(stage.signing_secret, secret):
        changed.append(f"the signing keys {stage.signing_secret} in place of {secret}")
    if changed:
        raise DeployError(
            f"{_file(stage)} uses {' and '.join(changed)} while bookings are open. If the deployment is rolled back, "
            "bookings that were made meanwhile are lost. Deploy three times: first only with BookingsClosed yes, then "
            "also with SWITCH=yes, and at the end with BookingsClosed no and OPEN=yes"
        )


def _is_secret(named: str, arn: str) -> bool:
    """Return whether a secret's name, partial ARN or ARN names the secret with an ARN."""
    return re.fullmatch(rf"(arn:\S+:secret:)?{re.escape(named)}(-\w{{6}})?", arn) is not None


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


def check_parameters(parameters: Mapping[str, str], template: Mapping[str, Any]) -> None:
    """Raise `DeployError` for parameters that the template doesn't have or accept.

    CloudFormation silently uses the default of a misspelled one, and checks values only after the upload.
    """
    unknown = sorted(set(parameters) - set(template["Parameters"]))
    if unknown:
        known = ", ".join(sorted(template["Parameters"]))
        raise DeployError(f"Unknown parameter {', '.join(unknown)}; the template has {known}.")
    wrong = [
        f"  {name} is {value!r}, but must be {expected}"
        for name, value in sorted(parameters.items())
        if (expected := _expected(value, template["Parameters"][name]))
    ]
    if wrong:
        raise DeployError(
            "The template does not accept these parameters of the stage's file:\n" + "\n".join(wrong)
        )


def _expected(value: str, parameter: Mapping[str, Any]) -> str | None:
    """Return what a parameter's value must be, or None if the template accepts the value."""
    if "AllowedValues" in parameter:
        allowed = [str(each) for each in parameter["AllowedValues"]]
        return None if value in allowed else f"one of {', '.join(allowed)}"
    if parameter["Type"] == "Number":
        least, most = parameter.get("MinValue", float("-inf")), parameter.get("MaxValue", float("inf"))
        number = re.fullmatch(r"-?\d+(\.\d+)?", value)
        if number and least <= float(value) <= most:
            return None
        bounds = [f"at least {least}"] if "MinValue" in parameter else []
        bounds += [f"at most {most}"] if "MaxValue" in parameter else []
        return " and ".join(["a number", *bounds])
    if len(value) > parameter.get("MaxLength", len(value)):
        return f"at most {parameter['MaxLength']:,} characters long"
    pattern = parameter.get("AllowedPattern")
    if pattern is None or re.fullmatch(pattern, value):
        return None
    return str(parameter.get("ConstraintDescription") or f"empty or match {pattern}")


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
