"""`make redrive-outbox`: process the batches in the bucket `OutboxCrashes`, on which the outbox crashed, again (P6).

Each object contains a complete batch of the table's stream. The function processes the batch again and publishes its
events with the same ids. Processed objects are deleted. See docs/operate.md.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.config import Config

from infra.errors import CommandError
from infra.stack.account import Account, explained, open_account
from infra.stack.stage import read_stage, stack_outputs

_FUNCTION_SECONDS: Final = 120  # the timeout of `outbox`


@dataclass
class Redriven:
    """The number of processed records, and the objects that remain, each with the reason."""

    records: int = 0
    left: dict[str, str] = field(default_factory=dict)


def redrive(s3: Any, lambdas: Any, bucket: str, function: str) -> Redriven:
    """Invoke the function with each object of the bucket and delete the processed objects. It can be run repeatedly.

    `s3` and `lambdas` are botocore clients. If a batch crashes again, its records are retried one by one, so that a bad
    record doesn't block the others.
    """
    done = Redriven()
    for key in list(crashes(s3, bucket)):
        try:
            records = _records_of(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ValueError as error:
            done.left[key] = str(error)
            continue
        failure = _relay(lambdas, function, records)
        if failure and len(records) > 1:
            failures = [_relay(lambdas, function, [record]) for record in records]
            failure = next(filter(None, failures), "")
            done.records += failures.count("")
        elif not failure:
            done.records += len(records)
        if failure:
            done.left[key] = failure
        else:
            s3.delete_object(Bucket=bucket, Key=key)
    return done


def crashes(s3: Any, bucket: str) -> Iterator[str]:
    """Yield the objects' keys. A key starts with mapping, shard and time, so each shard's oldest object comes first."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", ()):
            yield found["Key"]


def _records_of(body: bytes) -> list[dict[str, Any]]:
    """Return the stream records in an object. Raise ValueError if the object contains no batch of stream records."""
    try:
        payload = json.loads(body)["payload"]
        event = json.loads(payload) if isinstance(payload, str) else payload
        records: list[dict[str, Any]] = event["Records"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("it contains no batch of stream records") from error
    return records


def _relay(lambdas: Any, function: str, records: Sequence[dict[str, Any]]) -> str:
    """Invoke the function with records. Return the reason why some were not processed, or an empty string."""
    event = json.dumps({"Records": records}, ensure_ascii=False, separators=(",", ":"))
    response = lambdas.invoke(FunctionName=function, Payload=event.encode())
    result = json.loads(response["Payload"].read() or b"null") or {}
    if "FunctionError" in response:
        return (
            f"the function failed: {result.get('errorType') or result.get('errorMessage') or 'no response'}"
        )
    return (
        "neither the bus nor the dead-letter queue accepted all records"
        if result.get("batchItemFailures")
        else ""
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status: 1 if anything remains."""
    parser = argparse.ArgumentParser(prog="make redrive-outbox", description=__doc__)
    parser.add_argument("--stage", required=True)
    given = parser.parse_args(arguments)
    try:
        with explained():
            account = open_account()
            found = stack_outputs(account, read_stage(given.stage))
            done = redrive(
                account.client("s3"),
                _lambda_client(account),
                found["OutboxCrashesBucketName"],
                found["OutboxFunction"],
            )
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Records processed: {done.records}.")
    for key, why in done.left.items():
        print(f"{key} remains: {why}", file=sys.stderr)
    return 1 if done.left else 0


def _lambda_client(account: Account) -> Any:
    """Return a Lambda client that waits until the function's timeout and never retries."""
    config = Config(read_timeout=_FUNCTION_SECONDS + 30, retries={"total_max_attempts": 1})
    return account.client("lambda", config)


if __name__ == "__main__":
    sys.exit(main())
