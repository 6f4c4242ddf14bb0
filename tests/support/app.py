"""The app behind real HTTP, over a table on ministack, with a clock that tests set."""

import base64
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final, cast

import httpx
import pytest

import app
from chalicelib import bootstrap
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.ids import make_id
from chalicelib.domain.links.link import Link, LinkStatus
from chalicelib.domain.team.api_keys import Role
from chalicelib.service.ports import World
from chalicelib.service.team.authenticate import NewKey, make_key
from chalicelib.store.conditions import EXISTS
from chalicelib.store.items import link_key
from chalicelib.store.links.links import final_status
from chalicelib.store.retention import Retention
from chalicelib.store.transactions import Transaction
from infra.local.http.server import serving
from tests.support.aws.dynamodb_client import plain_client
from tests.support.aws.engines import Table
from tests.support.waiting import LIMIT

# A Monday in the far future: items created at this time never expire by the engine's clock, so its TTL deletes none.
NOW: Final = datetime(2040, 1, 2, 8, 0, tzinfo=UTC)
BASE_URL: Final = "https://admit.example"
MAIL_SENDER: Final = "bookings@admit.example"
CAUSE: Final = Cause("system:test", "test")
HTML: Final = {"Accept": "text/html"}
JSON: Final = {"Accept": "application/json"}

EVERY_DAY: Final = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ALL_DAY: Final[dict[str, Any]] = {
    "timeZone": "UTC",
    "weekly": [{"days": EVERY_DAY, "from": "00:00", "to": "24:00"}],
}


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **units: float) -> None:
        """Advance the clock, in `timedelta`'s units."""
        self.now += timedelta(**units)


def at(**units: float) -> str:
    """Return the instant that long after `NOW`, as JSON has it."""
    return rfc3339(NOW + timedelta(**units))


@dataclass
class Caller:
    """A client of the team's API with one API key. `host_id` is the host it acts for, or None for an admin key."""

    client: httpx.Client
    key: NewKey
    host_id: str | None

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key.secret}"}

    def __call__(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """Send a request with this key."""
        headers = self.headers | kwargs.pop("headers", {})
        return self.client.request(method, path, headers=headers, **kwargs)

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self("GET", path, **kwargs)

    def post(self, path: str, body: Any = None, **kwargs: Any) -> httpx.Response:
        return self("POST", path, **({"json": body} if body is not None else {}), **kwargs)

    def patch(self, path: str, body: Any) -> httpx.Response:
        return self("PATCH", path, json=body)

    def delete(self, path: str, **kwargs: Any) -> httpx.Response:
        return self("DELETE", path, **kwargs)

    def event_type(self, **fields: Any) -> dict[str, Any]:
        """Create an event type, by default 30 minutes at any time, and return it."""
        body = {"title": "Talk", "durationMinutes": 30, "schedule": ALL_DAY} | fields
        answer: dict[str, Any] = created(self.post("/v1/event-types", body))
        return answer

    def links(self, event_type: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
        """Generate links and return them."""
        answer = created(self.post("/v1/links", {"eventTypeId": event_type["eventTypeId"]} | fields))
        found: list[dict[str, Any]] = answer["links"]
        return found

    def link(self, event_type: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """Generate one link, of a new event type unless one is given, and return it."""
        return self.links(event_type or self.event_type(), **fields)[0]

    def reread(self, link: dict[str, Any]) -> dict[str, Any]:
        """Read a link again and return it."""
        answer: dict[str, Any] = ok(self.get(f"/v1/links/{link['linkId']}"))
        return answer

    def list(self, **params: Any) -> dict[str, Any]:
        """Return one page of links."""
        answer: dict[str, Any] = ok(self.get("/v1/links", params=params))
        return answer


@dataclass
class Reads:
    """DynamoDB usage: operations in order, index entries and items read."""

    calls: list[str] = field(default_factory=list)
    index_entries: int = 0
    items: int = 0


@dataclass
class Site:
    """A running app with a table of its own."""

    client: httpx.Client
    table: Table
    clock: Clock
    admin: Caller

    @property
    def world(self) -> World:
        return bootstrap.world()

    def key(self, role: Role, host_id: str | None = None) -> NewKey:
        return make_key(self.world, role=role, host_id=host_id, name="test", cause=CAUSE)

    def host(self, **fields: Any) -> Caller:
        """Create a host and return a client with its key."""
        body = {"name": "Ada Lovelace", "email": "ada@hosts.example", "timeZone": "UTC"} | fields
        host_id = created(self.admin.post("/v1/hosts", body))["hostId"]
        return Caller(self.client, self.key(Role.HOST, host_id), host_id)

    def visit(self, link: dict[str, Any], method: str = "GET", **kwargs: Any) -> httpx.Response:
        """Open a link as an invitee; `kwargs` are httpx's."""
        return self.client.request(method, path_of(link), **kwargs)

    def slots(self, link: dict[str, Any], **params: str) -> list[str]:
        """Return the starts on offer."""
        answer = ok(self.client.get(path_of(link) + "/slots", params=params, headers=JSON))
        return [slot["start"] for slot in answer["slots"]]

    def redeem(
        self, link: dict[str, Any], start: str, *, key: str | None = None, **fields: Any
    ) -> httpx.Response:
        """Redeem with a JSON body, as Grace unless `fields` replace her."""
        headers = JSON | ({"Idempotency-Key": key} if key else {})
        return self.client.post(path_of(link) + "/redeem", json=redeem_body(start, **fields), headers=headers)

    def redeem_form(self, link: dict[str, Any], start: str) -> httpx.Response:
        """Redeem as a browser's form does."""
        person = {"invitee.name": "Grace Hopper", "invitee.email": "grace@invitees.example"}
        return self.client.post(
            path_of(link) + "/redeem", data={"start": start, "timeZone": "UTC"} | person, headers=HTML
        )

    def item(self, pk: str, sk: str) -> dict[str, Any] | None:
        """Return an item in DynamoDB's typed JSON, or None."""
        client = plain_client(self.table.endpoint_url)
        key: dict[str, Any] = {"pk": {"S": pk}, "sk": {"S": sk}}
        answer = client.get_item(TableName=self.table.name, Key=key, ConsistentRead=True)
        return cast("dict[str, Any] | None", answer.get("Item"))

    def put(self, item: dict[str, Any]) -> None:
        """Write an item directly, bypassing the app."""
        plain_client(self.table.endpoint_url).put_item(TableName=self.table.name, Item=item)

    def delete(self, pk: str, sk: str) -> None:
        """Delete an item directly, bypassing the app."""
        key: dict[str, Any] = {"pk": {"S": pk}, "sk": {"S": sk}}
        plain_client(self.table.endpoint_url).delete_item(TableName=self.table.name, Key=key)

    def items(self, prefix: str = "") -> list[dict[str, Any]]:
        """Return the items of the table whose partition key starts with `prefix`, ordered by key."""
        client, only = plain_client(self.table.endpoint_url), dict[str, Any]()
        if prefix:
            values = {":prefix": {"S": prefix}}
            only = {"FilterExpression": "begins_with(pk, :prefix)", "ExpressionAttributeValues": values}
        pages = client.get_paginator("scan").paginate(TableName=self.table.name, ConsistentRead=True, **only)
        items = [cast("dict[str, Any]", item) for page in pages for item in page["Items"]]
        return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))

    def mark_expired(self, *links: dict[str, Any]) -> None:
        """Mark links as expired, as the expiry schedule does."""
        self.mark(links, "expired")

    def mark(self, links: Sequence[dict[str, Any]], status: str) -> None:
        """Set the stored status of links, with their index keys, bypassing the API."""
        table = cast("Any", self.world.store.links)._table
        for at in range(0, len(links), 100):
            transaction = Transaction(table)
            for link in links[at : at + 100]:
                owners = cast(
                    "Link", SimpleNamespace(host_id=link["hostId"], event_type_id=link["eventTypeId"])
                )
                actions = final_status(owners, LinkStatus(status), CAUSE, self.clock(), Retention())
                transaction.update(link_key(link["linkId"]), actions, EXISTS, name=link["linkId"])
            transaction.commit()

    @contextmanager
    def counting(self) -> Iterator[Reads]:
        """Count what the app reads from DynamoDB."""
        reads = Reads()

        def count(parsed: dict[str, Any], model: Any, **_: Any) -> None:
            reads.calls.append(model.name)
            if model.name == "Query":
                reads.index_entries += parsed.get("ScannedCount", parsed["Count"])
            elif model.name == "GetItem":
                reads.items += "Item" in parsed
            elif model.name == "BatchGetItem":
                reads.items += sum(len(found) for found in parsed["Responses"].values())

        with self._hooked("after-call.dynamodb", count):
            yield reads

    @contextmanager
    def failing(self, operation: str, fault: Exception) -> Iterator[None]:
        """Let every call of one DynamoDB operation fail with `fault`, before it is sent."""

        def fail(**_: Any) -> None:
            raise fault

        with self._hooked(f"before-call.dynamodb.{operation}", fail):
            yield

    @contextmanager
    def _hooked(self, event: str, hook: Any) -> Iterator[None]:
        events = cast("Any", self.world.store.links)._table.client.meta.events
        events.register(event, hook)
        try:
            yield
        finally:
            events.unregister(event, hook)


@contextmanager
def running_site(table: Table) -> Iterator[Site]:
    """Serve the app over a table until the block ends."""
    clock = Clock()
    signing = {"current": 1, "keys": {"1": base64.b64encode(secrets.token_bytes(32)).decode()}}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings_for(table, json.dumps(signing)).items():
            patch.setenv(name, value)
        patch.delenv("SIGNING_SECRET_ID", raising=False)
        patch.setattr(bootstrap, "utc_now", clock)
        bootstrap.forget()
        try:
            with (
                serving(app.app) as server,
                httpx.Client(base_url=server.url, trust_env=False, timeout=LIMIT) as client,
            ):
                admin = make_key(bootstrap.world(), role=Role.ADMIN, host_id=None, name="admin", cause=CAUSE)
                yield Site(client, table, clock, Caller(client, admin, None))
        finally:
            bootstrap.forget()


def settings_for(table: Table, signing_keys: str) -> dict[str, str]:
    """Return the environment that points the app at a table."""
    return {
        "TABLE_NAME": table.name,
        "AWS_ENDPOINT_URL_DYNAMODB": table.endpoint_url,
        "SIGNING_KEYS": signing_keys,
        "BASE_URL": BASE_URL,
        "MAIL_SENDER": MAIL_SENDER,
    }


def redeem_body(start: str, **fields: Any) -> dict[str, Any]:
    """Return a redeem's JSON body."""
    invitee = {"name": "Grace Hopper", "email": "grace@invitees.example"}
    return {"start": start, "timeZone": "Europe/Berlin", "invitee": invitee} | fields


def token_of(link: dict[str, Any]) -> str:
    """Return the token in a link's URL."""
    url: str = link["url"]
    return url.removeprefix(f"{BASE_URL}/s/")


def path_of(link: dict[str, Any]) -> str:
    """Return the path that opens a link."""
    return f"/s/{token_of(link)}"


def unknown_id(kind: str) -> str:
    """Return a well-formed id that does not exist."""
    return make_id(kind, os.urandom(16))


def forged(token: str) -> str:
    """Return a copy of a token with one bit of its signature changed."""
    raw = bytearray(base64.urlsafe_b64decode(token))
    raw[-1] ^= 1
    return base64.urlsafe_b64encode(raw).decode()


def ok(response: httpx.Response) -> Any:
    """Return the JSON of a 200."""
    assert response.status_code == 200, response.text
    return _without_warnings(response.json())


def created(response: httpx.Response) -> Any:
    """Return the JSON of a 201."""
    assert response.status_code == 201, response.text
    return _without_warnings(response.json())


def _without_warnings(document: Any) -> Any:
    """Return a write's response without an empty `warnings`, so that it equals a read's."""
    if isinstance(document, dict) and document.get("warnings") == []:
        del document["warnings"]
    return document


def assert_problem(response: httpx.Response, status: int, slug: str, *pointers: str) -> dict[str, Any]:
    """Assert a problem document, and that it names exactly `pointers`, if any are given."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json"), (
        response.text
    )
    problem: dict[str, Any] = response.json()
    assert problem["type"].endswith(f":{slug}"), problem
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    if pointers:
        assert {fault["pointer"] for fault in problem["errors"]} == set(pointers)
        assert all(fault["detail"] for fault in problem["errors"])
    return problem


def without_correlation(problem: dict[str, Any]) -> dict[str, Any]:
    """Return a problem document without its correlation id, which differs in every response."""
    return {name: value for name, value in problem.items() if name != "correlationId"}
