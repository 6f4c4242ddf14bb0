"""The functions that nobody calls by HTTP, deployed into ministack: the stream's consumer, and the expiry schedule.

ministack runs them as Lambda does, behind its own event source mapping and EventBridge rule; nothing here pumps.
They run under ministack's own Python, which has what they import, so the archive holds only our code.
"""

import io
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from infra.local.aws import local_client, use_local_aws

ROOT: Final = Path(__file__).parents[2]
_ROLE: Final = "arn:aws:iam::000000000000:role/local"
_TIMEOUT_SECONDS: Final = 60

OUTBOX: Final = "admit-one-local-outbox"
EXPIRY: Final = "admit-one-local-expiry"
_HANDLERS: Final = {
    OUTBOX: "chalicelib.consumers.outbox.consume",
    EXPIRY: "chalicelib.consumers.expiry.expire",
}


def function_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the functions: the app's settings, and credentials that no real account takes."""
    environment: dict[str, str] = {}
    use_local_aws(environment)
    return environment | dict(settings)


def deploy_functions(endpoint_url: str, table_name: str, settings: Mapping[str, str]) -> None:
    """Put the current code of every function into ministack, and connect stream and schedule once."""
    functions = local_client("lambda", endpoint_url)
    archive = _archive()
    for name, handler in _HANDLERS.items():
        _put_function(functions, name, handler, archive, settings)
    _map_stream(functions, endpoint_url, table_name)
    _schedule(functions, local_client("events", endpoint_url))


def _archive() -> bytes:
    """Return our code as a zip; fixed times, so that the same code is the same archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        files = [ROOT / "app.py", *sorted((ROOT / "chalicelib").rglob("*"))]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                archive.writestr(zipfile.ZipInfo(str(file.relative_to(ROOT))), file.read_bytes())
    return content.getvalue()


def _put_function(
    functions: Any, name: str, handler: str, archive: bytes, settings: Mapping[str, str]
) -> None:
    environment = {"Variables": dict(settings)}
    try:
        functions.get_function(FunctionName=name)
    except functions.exceptions.ResourceNotFoundException:
        functions.create_function(
            FunctionName=name,
            Runtime=f"python{sys.version_info.major}.{sys.version_info.minor}",
            Role=_ROLE,
            Handler=handler,
            Code={"ZipFile": archive},
            Environment=environment,
            Timeout=_TIMEOUT_SECONDS,
        )
    else:
        functions.update_function_code(FunctionName=name, ZipFile=archive)
        functions.update_function_configuration(FunctionName=name, Environment=environment)


def _map_stream(functions: Any, endpoint_url: str, table_name: str) -> None:
    """Map the stream to its consumer anew: a mapping kept over a restart does not find its place again.

    What it reads a second time is in the history already, and stays there once.
    """
    table = local_client("dynamodb", endpoint_url).describe_table(TableName=table_name)["Table"]
    for mapping in functions.list_event_source_mappings(FunctionName=OUTBOX)["EventSourceMappings"]:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])
    functions.create_event_source_mapping(
        EventSourceArn=table["LatestStreamArn"],
        FunctionName=OUTBOX,
        StartingPosition="TRIM_HORIZON",
        BatchSize=100,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )


def _schedule(functions: Any, events: Any) -> None:
    events.put_rule(Name=EXPIRY, ScheduleExpression="rate(1 minute)", State="ENABLED")
    arn = functions.get_function(FunctionName=EXPIRY)["Configuration"]["FunctionArn"]
    events.put_targets(Rule=EXPIRY, Targets=[{"Id": "expiry", "Arn": arn}])
