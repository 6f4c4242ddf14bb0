"""Lambda's event source mapping for a stream, as AWS documents it: retries, bisecting, a bucket for failed batches.

No engine implements it (ADR 5). The settings are read from the template; the behavior follows
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html and services-ddb-batchfailurereporting.html.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from infra.paths import ROOT
from tests.support.aws.bus import Record

_RESOURCES: Final = json.loads((ROOT / "infra" / "template" / "events.json").read_text())["Resources"]
STREAM: Final[dict[str, Any]] = _RESOURCES["OutboxStream"]["Properties"]

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass
class Mapping:
    """Passes a stream's records to a handler. `invoked` has the sequence numbers of each call's records."""

    s3: Any
    bucket: str
    invoked: list[list[str]] = field(default_factory=list)

    def run(self, handler: Handler, records: list[Record]) -> None:
        """Pass all records to the handler in batches. At the end each was handled, or is in the bucket."""
        size = STREAM["BatchSize"]
        for at in range(0, len(records), size):
            self._until_done(handler, records[at : at + size], retries=0)

    def _until_done(self, handler: Handler, batch: list[Record], *, retries: int) -> None:
        while batch:
            again = self._invoke(handler, batch)
            if again == batch and len(batch) > 1 and STREAM["BisectBatchOnFunctionError"]:
                half = len(batch) // 2  # bisecting does not count as a retry
                self._until_done(handler, batch[:half], retries=retries)
                self._until_done(handler, batch[half:], retries=retries)
                return
            if again and retries == STREAM["MaximumRetryAttempts"]:
                self._put_away(again, retries + 1)
                return
            batch, retries = again, retries + 1

    def _invoke(self, handler: Handler, batch: list[Record]) -> list[Record]:
        """Return the records to retry: all if the function crashed, else those from the first reported failure on."""
        self.invoked.append([record["dynamodb"]["SequenceNumber"] for record in batch])
        try:
            answer = handler({"Records": json.loads(json.dumps(batch))}, None)
        except BaseException as crash:
            if isinstance(crash, KeyboardInterrupt):
                raise
            return batch
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        firsts = [n for n, r in enumerate(batch) if r["dynamodb"]["SequenceNumber"] in failed]
        return batch[min(firsts) :] if firsts else []

    def _put_away(self, batch: list[Record], times: int) -> None:
        """Write a batch to the bucket, in the form of Lambda's record of a failed invocation."""
        first, last = (batch[place]["dynamodb"]["SequenceNumber"] for place in (0, -1))
        body = {
            "requestContext": {"condition": "RetryAttemptsExhausted", "approximateInvokeCount": times},
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "version": "1.0",
            "DDBStreamBatchInfo": {
                "startSequenceNumber": first,
                "endSequenceNumber": last,
                "batchSize": len(batch),
            },
            "payload": json.dumps({"Records": batch}),
        }
        key = f"aws/lambda/mapping/shard/2026/11/26/2026-11-26T10.00.00-{secrets.token_hex(8)}"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=json.dumps(body).encode())
