"""The app in this process over an engine's table, called with REST proxy events as Lambda does, without sockets."""

import base64
import importlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

from chalicelib import bootstrap
from infra.local.aws import local_client, use_local_aws
from infra.local.engines.engine import Engine
from infra.local.table import ensure_table

EVERY_DAY: Final = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ALL_DAY: Final[dict[str, Any]] = {
    "timeZone": "UTC",
    "weekly": [{"days": EVERY_DAY, "from": "00:00", "to": "24:00"}],
}
_CONTEXT: Final = SimpleNamespace(
    function_name="admit-one", aws_request_id="bench", get_remaining_time_in_millis=lambda: 29_000
)


@dataclass
class Counted:
    """DynamoDB usage: operations in order, index entries and items read, and capacity units."""

    calls: list[str] = field(default_factory=list)
    entries: int = 0
    items: int = 0
    read_units: float = 0
    write_units: float = 0


class Site:
    """The app over a table, which is a new one unless a name is given."""

    def __init__(self, engine: Engine, table_name: str | None = None) -> None:
        self.endpoint_url = engine.endpoint_url
        self.table_name = table_name or f"bench-{secrets.token_hex(6)}"
        self.raw = local_client("dynamodb", engine.endpoint_url, pool=64)
        ensure_table(self.raw, self.table_name)
        keys = {"current": 1, "keys": {"1": base64.b64encode(secrets.token_bytes(32)).decode()}}
        self.signing_keys = json.dumps(keys)
        use_local_aws(os.environ, "http://127.0.0.1:9")
        os.environ.update(self.environment())
        bootstrap.forget()
        self._app = importlib.import_module("app").app
        self.client = self._client_of_the_store()

    def environment(self) -> dict[str, str]:
        """Return the environment variables that point the app at the table."""
        return {
            "TABLE_NAME": self.table_name,
            "AWS_ENDPOINT_URL_DYNAMODB": self.endpoint_url,
            "SIGNING_KEYS": self.signing_keys,
            "BASE_URL": "https://admit.example",
        }

    def __call__(self, event: dict[str, Any]) -> tuple[int, Any]:
        """Handle one proxy event; return the status and the body, parsed if it is JSON."""
        answer = self.raw_answer(event)
        body = answer["body"]
        media = answer.get("headers", {}).get("Content-Type") or answer.get("multiValueHeaders", {}).get(
            "Content-Type", [""]
        )
        kind = media if isinstance(media, str) else media[0]
        return answer["statusCode"], json.loads(body) if "json" in kind and body else body

    def raw_answer(self, event: dict[str, Any]) -> dict[str, Any]:
        """Handle one proxy event; return the proxy response."""
        answer: dict[str, Any] = self._app(event, _CONTEXT)
        return answer

    def team(self, method: str, resource: str, body: Any = None, **path: str) -> Any:
        """Call the team's API as an admin; return the response's JSON. Raises if the status is not 2xx."""
        status, answer = self(proxy_event(method, resource, body, path=path, admin=True))
        if not 200 <= status < 300:
            raise RuntimeError(f"{method} {resource}: {status} {answer}")
        return answer

    def host(self) -> str:
        """Create a host; return its id."""
        body = {"name": "Ada Lovelace", "email": "ada@example.com", "timeZone": "UTC"}
        return str(self.team("POST", "/v1/hosts", body)["hostId"])

    def event_type(self, host_id: str, minutes: int = 30, **more: Any) -> str:
        """Create an event type that is open at all hours; return its id."""
        body = {"hostId": host_id, "title": "Talk", "durationMinutes": minutes, "schedule": ALL_DAY} | more
        return str(self.team("POST", "/v1/event-types", body)["eventTypeId"])

    def tokens(self, event_type_id: str, count: int, **more: Any) -> list[str]:
        """Create links; return their tokens."""
        made: list[str] = []
        while len(made) < count:
            body = {"eventTypeId": event_type_id, "count": min(1000, count - len(made))} | more
            answer = self.team("POST", "/v1/links", body)
            made += [link["url"].rpartition("/")[2] for link in answer["links"]]
        return made

    @contextmanager
    def counting(self) -> Iterator[Counted]:
        """Count the app's use of DynamoDB, with capacity units as the engine computes them."""
        counted = Counted()

        def ask(params: dict[str, Any], **_: Any) -> None:
            params["ReturnConsumedCapacity"] = "INDEXES"

        def count(parsed: dict[str, Any], model: Any, **_: Any) -> None:
            counted.calls.append(model.name)
            _count(counted, model.name, parsed)

        events = self.client.meta.events
        events.register("provide-client-params.dynamodb", ask)
        events.register("after-call.dynamodb", count)
        try:
            yield counted
        finally:
            events.unregister("provide-client-params.dynamodb", ask)
            events.unregister("after-call.dynamodb", count)

    def _client_of_the_store(self) -> Any:
        links: Any = bootstrap.world().store.links
        return links._table.client


def proxy_event(
    method: str,
    resource: str,
    body: Any = None,
    *,
    path: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    admin: bool = False,
) -> dict[str, Any]:
    """Return a REST proxy event, version 1, as API Gateway sends it."""
    given = {"accept": "application/json", "content-type": "application/json"} | (headers or {})
    full = resource
    for name, value in (path or {}).items():
        full = full.replace("{" + name + "}", value)
    context: dict[str, Any] = {
        "resourcePath": resource,
        "httpMethod": method,
        "path": "/api" + full,
        "domainName": "abc.execute-api.us-east-1.amazonaws.com",
        "stage": "api",
        "requestId": secrets.token_hex(8),
        "identity": {"sourceIp": "192.0.2.1"},
    }
    if admin:
        context["authorizer"] = {
            "keyId": "key_bench",
            "role": "admin",
            "hostId": "",
            "principalId": "key_bench",
        }
    return {
        "resource": resource,
        "path": full,
        "httpMethod": method,
        "headers": given,
        "multiValueHeaders": {name: [value] for name, value in given.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()}
        if query
        else None,
        "pathParameters": path or None,
        "stageVariables": None,
        "requestContext": context,
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def redeem_event(token: str, start: datetime, email: str = "grace@example.com") -> dict[str, Any]:
    """Return the event of a redeem."""
    body = {
        "start": start.isoformat().replace("+00:00", "Z"),
        "timeZone": "Europe/Berlin",
        "invitee": {"name": "Grace Hopper", "email": email},
    }
    return proxy_event("POST", "/s/{token}/redeem", body, path={"token": token})


def starts(count: int, minutes: int) -> list[datetime]:
    """Return consecutive starts from midnight UTC, two days ahead."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    return [midnight + timedelta(minutes=minutes * number) for number in range(count)]


def _count(counted: Counted, operation: str, parsed: dict[str, Any]) -> None:
    units = parsed.get("ConsumedCapacity") or []
    total = sum(one["CapacityUnits"] for one in ([units] if isinstance(units, dict) else units))
    if operation in ("GetItem", "BatchGetItem", "Query"):
        counted.read_units += total
    else:
        counted.write_units += total
    if operation == "Query":
        counted.entries += parsed.get("ScannedCount", parsed["Count"])
    elif operation == "GetItem":
        counted.items += "Item" in parsed
    elif operation == "BatchGetItem":
        counted.items += sum(len(found) for found in parsed["Responses"].values())
