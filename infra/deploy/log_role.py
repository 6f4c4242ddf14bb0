"""The role with which API Gateway writes logs, of which an account has one in a region for all its APIs."""

from typing import Final

from botocore.exceptions import ClientError

from infra.stack.account import Account, DeployError
from infra.stack.stack_state import StackState
from infra.stack.stage import Stage

PARAMETER: Final = "ApiLogRole"


def log_role(account: Account, stage: Stage, stack: StackState) -> tuple[str, str]:
    """Return the value of the parameter `ApiLogRole` and a line about the role.

    A role that another team's stack set stays, and a stack that set the role keeps it. Raise `DeployError` if a new
    stack might replace a role that these credentials may not read.
    """
    given = stage.parameters.get(PARAMETER)
    deployed = stack.parameters.get(PARAMETER) if stack.exists else None
    try:
        role = account.client("apigateway").get_account().get("cloudwatchRoleArn")
        known, is_read = role or "none", True
    except ClientError as error:
        if "AccessDenied" not in error.response["Error"]["Code"]:
            raise
        role, is_read = None, False
        known = f"unknown (no permission for {error.operation_name})"
    if given:
        return given, f"API Gateway's log role: {known}; the stage's file says {given}"
    if stack.exists and "AccountLogSetting" in stack.resources:
        return "make", f"API Gateway's log role: {known}, the stack's own"
    if role:
        return "exists", f"API Gateway's log role: {role}, which stays"
    if is_read:
        return "make", f"API Gateway's log role: {known}; the stack creates one"
    if deployed:
        return deployed, f"API Gateway's log role: {known}; ApiLogRole stays {deployed}"
    raise DeployError(
        "These credentials may not read the account's log role of API Gateway (apigateway:GET), which another stack "
        f"may have set. Set ApiLogRole in infra/stages/{stage.name}.json: exists if the account has one, make if not."
    )
