"""The table's stream in the form in which Lambda reads it, and a bus and queues on ministack (P6)."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest

from chalicelib import bootstrap
from chalicelib.consumers.outbox import consume
from infra.local.aws import local_client
from tests.support.app import Site
from tests.support.aws.clients import shared_client
from tests.support.aws.engines import enable_stream

Record = dict[str, Any]


class Stream:
    """The table's stream, read as Lambda's event source mapping does: each record once, in order."""

    def __init__(self, site: Site, begin: Literal["LATEST", "TRIM_HORIZON"] = "LATEST") -> None:
        """Read the records from now on, or with `TRIM_HORIZON` the whole stream. Enables the stream if it is not."""
        enable_stream(site.table)
        self._client = local_client("dynamodbstreams", site.table.endpoint_url, validate=False)
        self._told: dict[str, Any] = {}
        self._client.meta.events.register("before-parse.dynamodb-streams.GetRecords", self._keep)
        streams = self._client.list_streams(TableName=site.table.name)["Streams"]
        arn = streams[0]["StreamArn"]
        shards = self._client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        self._iterators = [
            self._client.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType=begin)[
                "ShardIterator"
            ]
            for shard in shards
        ]

    def _keep(self, response_dict: dict[str, Any], **_: Any) -> None:
        """Keep the raw response: it has Lambda's form, and botocore does not parse its `userIdentity`.

        Botocore gets the response without its records, which it would take ten times as long to parse.
        """
        self._told = json.loads(response_dict["body"])
        response_dict["body"] = json.dumps(self._told | {"Records": []}).encode()

    def records(self) -> list[Record]:
        """Return the records since the last call, in Lambda's form."""
        found: list[Record] = []
        for place, iterator in enumerate(self._iterators):
            more: str | None = iterator
            while more:  # a call returns at most 1,000 records
                answer = self._client.get_records(ShardIterator=more)
                found += self._told["Records"]
                self._iterators[place] = answer.get("NextShardIterator", more)
                more = answer.get("NextShardIterator") if self._told["Records"] else None
        return found


def deliver(records: list[Record], *, times: int = 1) -> None:
    """Pass records to the stream's consumer, and assert that it handles all of them."""
    for _ in range(times):
        assert consume({"Records": json.loads(json.dumps(records))}, None) == {"batchItemFailures": []}


class Inbox:
    """An SQS queue for one test."""

    def __init__(self, endpoint_url: str) -> None:
        self.client = shared_client("sqs", endpoint_url)
        self.name = f"inbox-{secrets.token_hex(6)}"
        self.url: str = self.client.create_queue(QueueName=self.name)["QueueUrl"]
        attributes = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn: str = attributes["Attributes"]["QueueArn"]

    def take(self) -> list[dict[str, Any]]:
        """Return the bodies of all messages in the queue, and delete them."""
        bodies: list[dict[str, Any]] = []
        while True:
            answer = self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
            messages = answer.get("Messages", [])
            if not messages:
                return bodies
            for message in messages:
                bodies.append(json.loads(message["Body"]))
                self.client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def remove(self) -> None:
        self.client.delete_queue(QueueUrl=self.url)


class Bus:
    """A bus for one test, with a rule that sends all events of the product to a queue."""

    def __init__(self, endpoint_url: str) -> None:
        self.client = shared_client("events", endpoint_url)
        self.name = f"bus-{secrets.token_hex(6)}"
        self.inbox = Inbox(endpoint_url)
        self.client.create_event_bus(Name=self.name)
        pattern = json.dumps({"source": ["admit-one"]})
        self.client.put_rule(Name="all", EventBusName=self.name, EventPattern=pattern)
        target = {"Id": "inbox", "Arn": self.inbox.arn}
        self.client.put_targets(Rule="all", EventBusName=self.name, Targets=[target])

    def events(self) -> list[dict[str, Any]]:
        """Return the events since the last call, as EventBridge wraps them."""
        return self.inbox.take()

    def envelopes(self) -> list[dict[str, Any]]:
        """Return the envelopes of the events since the last call."""
        return [event["detail"] for event in self.events()]

    def remove(self) -> None:
        self.client.remove_targets(Rule="all", EventBusName=self.name, Ids=["inbox"])
        self.client.delete_rule(Name="all", EventBusName=self.name)
        self.client.delete_event_bus(Name=self.name)
        self.inbox.remove()


@contextmanager
def connected(endpoint_url: str, patch: pytest.MonkeyPatch) -> Iterator[tuple[Bus, Inbox]]:
    """Give the running app a bus and a dead-letter queue until the block ends."""
    bus, letters = Bus(endpoint_url), Inbox(endpoint_url)
    patch.setenv("EVENT_BUS_NAME", bus.name)
    patch.setenv("OUTBOX_DLQ_URL", letters.url)
    patch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", endpoint_url)
    patch.setenv("AWS_ENDPOINT_URL_SQS", endpoint_url)
    bootstrap.forget()
    try:
        yield bus, letters
    finally:
        for name in (
            "EVENT_BUS_NAME",
            "OUTBOX_DLQ_URL",
            "AWS_ENDPOINT_URL_EVENTBRIDGE",
            "AWS_ENDPOINT_URL_SQS",
        ):
            patch.delenv(name)
        bootstrap.forget()
        bus.remove()
        letters.remove()
