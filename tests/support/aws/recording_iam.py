"""Run ministack and record every permission that a role used. Usage: python -P recording_iam.py FILE MINISTACK.

MINISTACK is the program that runs ministack.

Its IAM decides as AWS documents it: for each item of a transaction, and for an index by its own ARN. Each allowed
request is a line, a JSON array of the role's session, the action and the resource.
"""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator


def note_into(file: Path) -> None:
    """Append each request that ministack's IAM allows to a file."""
    notes = file.open("a", buffering=1)  # each line is written at once
    decide = iam_evaluator.evaluate

    def noting(context: Any, *policies: Any) -> Any:
        result = decide(context, *policies)
        if result.decision == "Allow":
            line = json.dumps([context.principal_arn, context.action, context.resource_arn])
            notes.write(f"{line}\n")
        return result

    iam_evaluator.evaluate = noting


if __name__ == "__main__":
    _, file, program = sys.argv
    del sys.argv[1:]
    note_into(Path(file))
    runpy.run_path(program, run_name="__main__")
