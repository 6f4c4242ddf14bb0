"""Deploy a stack's function again, with Lambda's own Python runtime client.

ministack runs Python functions in its own loop, which loses the type of an exception, but Step Functions catch errors
by that type. With a `provided` runtime it runs the program `bootstrap`, which here starts the real client.
"""

import io
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from tests.deployed.conftest import Stack


@contextmanager
def behind_runtime_client(stack: Stack, *logical_ids: str) -> Iterator[dict[str, str]]:
    """Deploy functions of the stack again, with the same code and environment; yield their ARNs by logical id."""
    functions = stack.client("lambda")
    archive = _with_bootstrap(stack)
    made: dict[str, str] = {}
    try:
        for logical_id in logical_ids:
            found = functions.get_function_configuration(FunctionName=stack.physical_id(logical_id))
            answer = functions.create_function(
                FunctionName=f"real-{found['FunctionName']}"[:64],
                Runtime="provided.al2023",
                Role=found["Role"],
                Handler=found["Handler"],
                Code={"ZipFile": archive},
                Environment=found["Environment"],
                Timeout=60,
            )
            made[logical_id] = answer["FunctionArn"]
        yield made
    finally:
        for arn in made.values():
            functions.delete_function(FunctionName=arn)


def _with_bootstrap(stack: Stack) -> bytes:
    content = io.BytesIO(stack.package.archive.read_bytes())
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        script = f'#!{shutil.which("sh")}\ncd "$LAMBDA_TASK_ROOT"\nexec {sys.executable} -m awslambdaric "$_HANDLER"\n'
        archive.writestr(entry, script)
    return content.getvalue()
