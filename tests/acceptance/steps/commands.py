"""Commands from other AWS services, and CSV files."""

import csv
import io
import json
import secrets
from collections.abc import Iterator
from typing import Any, Final

from tests.acceptance.run import Run

_ROWS: Final = 20


def commands(run: Run) -> Iterator[str]:
    """Create links by the stack's bus, the default bus, the queue and an SNS topic."""
    run.require_helper()
    host = run.host()
    event_type = run.event_type(host)

    def command(**more: str) -> tuple[str, str]:
        """Return the id and the text of a command."""
        command_id = f"acceptance-{secrets.token_hex(6)}"
        payload = {"hostId": host, "eventTypeId": event_type}
        return command_id, json.dumps({"id": command_id, "command": "generate", "payload": payload, **more})

    client = run.target.client("events")
    ways = {"the stack's bus": ("acceptance", run.target.outputs["EventBusName"])}
    sources = run.target.parameters.get("CommandSources", "").split()
    if sources:
        ways["the default bus"] = (sources[0], "default")
    for name, (source, bus) in ways.items():
        command_id, text = command(stage=run.target.stage.name)
        entry = {"Source": source, "DetailType": "admit-one.command", "Detail": text, "EventBusName": bus}
        assert client.put_events(Entries=[entry])["FailedEntryCount"] == 0
        yield _arrived(run, name, command_id)
    command_id, text = command()
    run.target.client("sqs").send_message(QueueUrl=run.target.outputs["CommandQueueUrl"], MessageBody=text)
    yield _arrived(run, "the queue", command_id)
    command_id, text = command()
    run.target.client("sns").publish(TopicArn=run.helper["Commands"], Message=text)
    try:
        yield _arrived(run, "an SNS topic", command_id)
    except AssertionError:
        run.notes.append(
            "SNS sends aws:SourceAccount with a message to a queue: perhaps not. No message arrived: look at the "
            "statement RulesAndTopicsOfThisAccount of CommandQueue's policy, which requires it"
        )
        raise
    run.notes.append(
        "SNS sends aws:SourceAccount with a message to a queue: yes, because the queue's policy requires it"
    )
    if not sources:
        yield "the default bus: not set up (CommandSources is empty)"


def files(run: Run) -> Iterator[str]:
    """Upload a CSV file, read its result, and import a file that does not exist."""
    host = run.host()
    event_type = run.event_type(host)
    s3, bucket = run.target.client("s3"), run.target.outputs["ImportBucketName"]
    where = f"{host}/{event_type}/acceptance.csv"
    rows = "".join(f"row-{number}\n" for number in range(_ROWS))
    s3.put_object(Bucket=bucket, Key=f"imports/{where}", Body=f"label\n{rows}".encode())

    def look() -> str | None:
        if not s3.list_objects_v2(Bucket=bucket, Prefix=f"results/{where}")["KeyCount"]:
            return None
        text: str = s3.get_object(Bucket=bucket, Key=f"results/{where}")["Body"].read().decode("utf-8-sig")
        return text

    with run.timed("from a CSV file to its result"):
        result = run.wait_until(look)
    assert result is not None
    made = list(csv.DictReader(io.StringIO(result, newline="")))
    assert [row["status"] for row in made] == ["active"] * _ROWS
    run.secrets += [row["url"].rpartition("/")[2] for row in made[:3]]
    yield f"{len(made)} links from {_ROWS} rows"
    gone = _import_of(run, bucket, f"imports/{host}/{event_type}/missing.csv")
    assert gone["batchItemFailures"] in ([], [{"itemIdentifier": "acceptance"}]), gone
    answer = "404" if gone["batchItemFailures"] == [] else "403"
    run.notes.append(
        f"S3 answers {answer} for a missing import file" + ("" if answer == "404" else ", so it is retried")
    )
    assert answer == "404", "the function may not list the bucket, so a deleted file is retried ten times"
    yield "a missing file: 404, and no retry"


def _import_of(run: Run, bucket: str, key: str) -> dict[str, Any]:
    """Invoke the import function with the message of an uploaded file."""
    detail = {
        "bucket": {"name": bucket},
        "object": {"key": key, "version-id": "null", "size": 1, "etag": "x"},
    }
    body = json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail})
    record = {"messageId": "acceptance", "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
    answer = run.target.client("lambda").invoke(
        FunctionName=run.target.resources["ImportCsv"], Payload=json.dumps({"Records": [record]}).encode()
    )
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    return found


def _arrived(run: Run, name: str, command_id: str) -> str:
    event = run.wait_for_event(
        lambda each: each["correlationId"] == command_id and each["type"] == "batch.completed"
    )
    assert event["actor"] == f"command:{command_id}"
    return f"{name}: a link was created"
