"""`make admin`: create an admin key with a stage's function `make_admin`, for operators who can't access its table.

Usage: python -m infra.operate.admin --stage prod --name "Ada's key"
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, Final

from infra.errors import CommandError
from infra.stack.account import Account, explained, open_account
from infra.stack.stacks import outputs
from infra.stack.stage import Stage, read_stage

FUNCTION: Final = "MakeAdminFunction"


class AdminError(CommandError):
    """The function returned no key; after a timeout, one may exist. The message contains the reason."""


def make_admin(account: Account, stage: Stage, name: str) -> dict[str, Any]:
    """Invoke the function and return its result. Raise `AdminError`, or botocore's `ClientError`."""
    function = outputs(account.client("cloudformation"), stage.stack).get(FUNCTION)
    if function is None:
        raise AdminError(f"{stage.stack} has no output {FUNCTION}: deploy release 0.2.0 or newer first.")
    answer = account.client("lambda").invoke(
        FunctionName=function, Payload=json.dumps({"name": name}).encode()
    )
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise AdminError(_reason(result))
    return result


def _reason(result: dict[str, Any]) -> str:
    """Return the problem that the function raised, or Lambda's message if it crashed or timed out."""
    message = str(result.get("errorMessage", result))
    try:
        problem = json.loads(message)
    except ValueError:
        return message
    faults = "; ".join(f"{each['pointer']} {each['detail']}" for each in problem.get("errors", ()))
    return f"{problem['title']}: {faults or problem.get('detail', '')}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Create a key and print it; return the exit status."""
    parser = argparse.ArgumentParser(prog="make admin", description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--name", default="", help="a name to recognize the key by")
    given = parser.parse_args(arguments)
    try:
        with explained():
            made = make_admin(open_account(), read_stage(given.stage), given.name)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Key id: {made['keyId']}")
    print(f"API key (shown this once): {made['apiKey']}")
    print(f"Console: {made['consoleUrl']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
