"""Check a stage's file against its stack before a deployment: the same table, and bookings that stay closed."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.account import Account, DeployError, find_table
from infra.deploy.adoption import Adopted
from infra.deploy.stack_state import StackState
from infra.deploy.stage import CLOSED, Stage
from infra.deploy.table import compare_table


def checked_stage(
    stage: Stage, stack: StackState, *, switch: bool, reopen: bool, say: Callable[[str], None]
) -> Stage:
    """Return the stage to deploy, with the table that its stack uses if the file names none.

    A checkout without the latest version of the stage's file would replace the table of a restored stage with an empty
    one, or open bookings during a restore. Raise `DeployError` if the file names another table than the stack uses,
    unless `switch`, and if it would open bookings, unless `reopen`.
    """
    file = f"infra/stages/{stage.name}.json"
    if not stack.exists:
        return stage
    closed, wanted = stack.parameters.get(CLOSED, "no"), stage.parameters.get(CLOSED, "no")
    if closed != "no" and wanted == "no" and not reopen:
        raise DeployError(
            f"Bookings of {stack.name} are closed, so a restore may be running, and {file} would open them. Get the "
            f"latest version of the file, or continue with make restore STAGE={stage.name}. To open bookings: OPEN=yes"
        )
    used = stack.outputs.get("TableName")
    if not used or stage.table == used:
        return stage
    if stage.table is None:
        if stack.resources.get("Table") == used:
            return stage
        say(f"{file} doesn't name the table that the stack uses, {used}; using it. Add it to the file.")
        return dataclasses.replace(stage, table=used)
    if not switch:
        raise DeployError(
            f"{file} names the table {stage.table}, but {stack.name} uses {used}. Correct the file. "
            f"To use {stage.table} from now on, with the data in it: SWITCH=yes"
        )
    return stage


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
