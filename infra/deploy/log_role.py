"""The role with which API Gateway writes logs, of which an account has one in a region for all its APIs."""

from typing import Final

from botocore.exceptions import ClientError

from infra.deploy.account import Account
from infra.deploy.stack_state import StackState
from infra.deploy.stage import Stage

PARAMETER: Final = "ApiLogRole"


def log_role(account: Account, stage: Stage, stack: StackState) -> tuple[str, str]:
    """Return the value of the parameter `ApiLogRole` and a line about the role.

    A role that another team's stack set stays, and a stack that set the role keeps it.
    """
    given = stage.parameters.get(PARAMETER)
    try:
        role = account.client("apigateway").get_account().get("cloudwatchRoleArn")
        known = role or "none"
    except ClientError as error:
        if "AccessDenied" not in error.response["Error"]["Code"]:
            raise
        role, known = None, f"unknown (no permission for {error.operation_name})"
    if given:
        return given, f"API Gateway's log role: {known}; the stage's file says {given}"
    if stack.exists and "AccountLogSetting" in stack.resources:
        return "make", f"API Gateway's log role: {known}, the stack's own"
    if role:
        return "exists", f"API Gateway's log role: {role}, which stays"
    return "make", f"API Gateway's log role: {known}; the stack creates one"
