"""P1, P4: if a function is killed during a command or an import, the retry creates what is missing, once."""

import base64
import csv
import io
import json
import os
import signal
from collections.abc import Mapping
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any, Final, NamedTuple

import pytest

from chalicelib import bootstrap
from chalicelib.domain.event_types.event_type import EventSettings
from chalicelib.domain.event_types.schedules import Schedule
from chalicelib.domain.team.api_keys import Caller, Role
from chalicelib.domain.team.hosts import HostSettings
from chalicelib.service.event_types import create_event_type
from chalicelib.service.team.hosts import create_host
from chalicelib.settings import read_settings
from infra.local.aws import local_client, use_local_aws
from infra.local.engines.engine import Engine
from infra.local.engines.ministack import Ministack
from tests.support.app import CAUSE, settings_for
from tests.support.aws.engines import Table, new_table
from tests.support.proof.size import size
from tests.support.waiting import until

SIGNING: Final = json.dumps({"current": 1, "keys": {"1": base64.b64encode(b"k" * 32).decode()}})
COUNT: Final = size(1_000, 2_000)

# Each function's process is forked from a server that has imported the functions once.
_PROCESSES: Final = get_context("forkserver")
_PROCESSES.set_forkserver_preload(["chalicelib.consumers.commands", "chalicelib.consumers.imports", __name__])


def _call(consumer: str, body: str, environment: Mapping[str, str], results: Connection) -> None:
    """Do what Lambda does with one message: call the function, and return its result."""
    os.environ.clear()
    os.environ.update(environment)
    consume = import_module(f"chalicelib.consumers.{consumer}").consume
    results.send(consume({"Records": [{"messageId": "m", "body": body}]}, None))


class Delivery(NamedTuple):
    """A function's process with one message, and where its result arrives."""

    body: str
    process: ForkServerProcess
    results: Connection


class Stage:
    """A table on one engine, the other services on ministack, and functions that run as processes."""

    def __init__(self, table: Table, services: str) -> None:
        self.table = table
        self.dynamodb: Any = local_client("dynamodb", table.endpoint_url)
        self.s3: Any = local_client("s3", services)
        self.environment: dict[str, str] = {"PATH": os.environ["PATH"]}
        use_local_aws(self.environment, services)
        self.environment |= settings_for(table, SIGNING)
        self.host_id, self.event_type_id = self._event_type()

    def _event_type(self) -> tuple[str, str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", self.table.endpoint_url)
            return self._make_event_type()

    def _make_event_type(self) -> tuple[str, str]:
        world = bootstrap.compose(read_settings(self.environment))
        admin = Caller("test", Role.ADMIN, None)
        settings = HostSettings(name="Ada", email="ada@hosts.example", time_zone="UTC")
        host_id = create_host(world, admin, settings, CAUSE).host_id
        talk = EventSettings(title="Talk", duration_minutes=30, schedule=Schedule(time_zone="UTC"))
        return host_id, create_event_type(world, admin, host_id, talk, CAUSE).event_type_id

    def deliver(self, consumer: str, body: str) -> Delivery:
        """Start a function's process with one message."""
        results, sent = _PROCESSES.Pipe(duplex=False)
        process = _PROCESSES.Process(target=_call, args=(consumer, body, self.environment, sent), daemon=True)
        process.start()
        sent.close()  # the process has it now, so its end is noticed here
        return Delivery(body, process, results)

    def links(self) -> list[Mapping[str, Any]]:
        """Return every link's item."""
        return [item for item in self.items("LINK") if item["sk"]["S"] == "LINK"]

    def items(self, prefix: str) -> list[Mapping[str, Any]]:
        """Return every item whose sort key begins with `prefix`."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table.name, ConsistentRead=True)
        return [item for page in pages for item in page["Items"] if item["sk"]["S"].startswith(prefix)]

    def count(self, prefix: str) -> int:
        """Return the number of items whose sort key begins with `prefix`."""
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.table.name,
            ConsistentRead=True,
            Select="COUNT",
            FilterExpression="begins_with(sk, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": prefix}},
        )
        return sum(page["Count"] for page in pages)

    def killed_midway(self, consumer: str, body: str, after: int, prefix: str = "LINK") -> int:
        """Deliver a message, kill the function after `after` items are written, and return how many it has left.

        The process is stopped while the items are counted, so it can't finish before the count.
        """
        process = self.deliver(consumer, body).process
        assert process.pid is not None
        pid = process.pid

        def is_midway() -> bool:
            try:
                os.kill(pid, signal.SIGSTOP)
            except ProcessLookupError:
                return True  # it finished too early, which the test asserts
            if self.count(prefix) >= after:
                return True
            os.kill(pid, signal.SIGCONT)
            return False

        until(is_midway)
        process.kill()
        process.join()
        return self.count(prefix)

    def finished(self, consumer: str, *bodies: str) -> None:
        """Deliver messages concurrently, and retry until none fails."""
        waiting = list(bodies)
        while waiting:
            deliveries = [self.deliver(consumer, body) for body in waiting]
            waiting = []
            for body, process, results in deliveries:
                answer = results.recv()
                process.join()
                assert process.exitcode == 0
                if answer["batchItemFailures"]:
                    waiting.append(body)


@pytest.fixture
def functions(proof_engine: Engine, ministack: Ministack) -> Stage:
    """Functions over a table on each engine in turn."""
    return Stage(new_table(proof_engine.endpoint_url, stream=False), ministack.endpoint_url)


def test_a_generate_that_is_killed_twice_is_completed_by_two_concurrent_deliveries(functions: Stage) -> None:
    """P4, P1: SIGKILL after some chunks, and again after more; then SQS delivers the command twice at once."""
    payload = {
        "hostId": functions.host_id,
        "eventTypeId": functions.event_type_id,
        "items": [{"externalId": f"x-{n}"} for n in range(COUNT)],
    }
    body = json.dumps({"id": "c-1", "command": "generate", "payload": payload})

    first = functions.killed_midway("commands", body, 200)
    second = functions.killed_midway("commands", body, first + 200)
    functions.finished("commands", body, body)

    assert 0 < first < second < COUNT
    made = sorted(int(item["externalId"]["S"].removeprefix("x-")) for item in functions.links())
    assert made == list(range(COUNT))


def test_a_generate_that_is_killed_while_it_sends_its_links_requests_each_email_once(
    functions: Stage,
) -> None:
    """P4: SIGKILL after all links and some email requests; then SQS delivers the command twice at once."""
    count = size(120, 250)
    payload = {
        "hostId": functions.host_id,
        "eventTypeId": functions.event_type_id,
        "items": [{"recipient": {"email": f"p{n}@invitees.example"}} for n in range(count)],
        "send": {},
    }
    body = json.dumps({"id": "c-1", "command": "generate", "payload": payload})

    left = functions.killed_midway("commands", body, 20, "SEND#")
    made = len(functions.links())
    functions.finished("commands", body, body)

    assert made == count
    assert 0 < left < count
    addresses = sorted(item["email"]["S"] for item in functions.items("SEND#"))
    assert addresses == sorted(f"p{n}@invitees.example" for n in range(count))
    entries = [item for item in functions.items("") if item.get("type", {}).get("S") == "mail.requested"]
    assert len(entries) == count
    assert len(functions.links()) == count


def test_an_import_that_is_killed_creates_each_row_once(functions: Stage, proof_engine: Engine) -> None:
    """P4, P1: no row is lost or created twice, and the result lists each with its link."""
    count = size(1_000, 10_000 if isinstance(proof_engine, Ministack) else 2_500)
    bucket, where = functions.table.name, f"{functions.host_id}/{functions.event_type_id}/a.csv"
    functions.s3.create_bucket(Bucket=bucket)
    text = "externalId\n" + "".join(f"x-{n}\n" for n in range(count))
    put = functions.s3.put_object(Bucket=bucket, Key=f"imports/{where}", Body=text.encode())
    dropped = {"key": f"imports/{where}", "etag": put["ETag"].strip('"'), "size": len(text)}
    body = json.dumps(
        {"detail-type": "Object Created", "detail": {"bucket": {"name": bucket}, "object": dropped}}
    )

    left = functions.killed_midway("imports", body, count // 3)
    functions.finished("imports", body, body)

    assert 0 < left < count
    by_row = {item["externalId"]["S"]: item["pk"]["S"] for item in functions.links()}
    assert len(functions.links()) == len(by_row) == count
    content = functions.s3.get_object(Bucket=bucket, Key=f"results/{where}")["Body"].read().decode()
    rows = list(csv.DictReader(io.StringIO(content, newline=""), strict=True))
    assert [row["externalId"] for row in rows] == [f"x-{n}" for n in range(count)]
    assert all(by_row[row["externalId"]] == f"LINK#{row['linkId']}" for row in rows)
    assert {row["status"] for row in rows} == {"active"}
