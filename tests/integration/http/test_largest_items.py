"""P10: every list of the largest items that the API accepts is complete, and each page fits into Lambda's response.

DynamoDB ends a query's response after 1 MB, and Lambda allows 6 MB for its own. `test_cut_pages.py` tests each call of
the store with small items.
"""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, cast

import msgspec
import pytest

from chalicelib.consumers.direct_functions import list_links_page
from chalicelib.domain.bookings.booking import Booking
from chalicelib.domain.events.envelopes import Envelope, envelope_of
from chalicelib.domain.events.events import event_id_of
from chalicelib.domain.ids import BOOKING, EVENT_TYPE, HOST, LINK
from chalicelib.domain.links.link import MAX_DOCUMENT_BYTES, Link
from chalicelib.domain.listings import MAX_EXPORTED, MAX_PAGE
from chalicelib.domain.text import (
    MAX_ANSWER_LENGTH,
    MAX_DETAIL_LENGTH,
    MAX_LABEL_LENGTH,
    MAX_MESSAGE_LENGTH,
    MAX_NAME_LENGTH,
    MAX_NOTE_LENGTH,
)
from chalicelib.domain.webhooks.deliveries import (
    MAX_KEPT_ATTEMPTS,
    DeliveryAttempt,
    given_up,
    new_delivery,
    safe_excerpt,
)
from chalicelib.domain.webhooks.webhook import MAX_LOGGED, MAX_URL_LENGTH, MAX_WEBHOOKS, WebhookEntry
from chalicelib.service import paging
from chalicelib.store.items import webhook_key
from chalicelib.store.table import Table
from tests.support.app import ALL_DAY, CAUSE, Caller, Site, at, created, ok, path_of, token_of, unknown_id
from tests.support.aws.bus import Stream, deliver
from tests.support.aws.dynamodb_client import plain_client

BODY: Final = 64 * 1024  # bytes of a request's body, at most
LAMBDA: Final = 6 * 1024 * 1024  # bytes of a response, at most
HEADERS: Final = 10 * 1024  # room for the rest of the response
WIDE: Final = "😀"  # 4 bytes as UTF-8, and 12 when JSON escapes it
MANY: Final = 60

Rows = Callable[..., list[str]]


def test_a_response_with_too_many_large_rows_would_not_fit(
    largest: "Largest", patched: pytest.MonkeyPatch
) -> None:
    """Control: without the limit on a page's bytes, three lists exceed Lambda's maximum. The engine cuts queries."""
    patched.setattr(paging, "MAX_PAGE_BYTES", sys.maxsize)
    for path, params in [
        ("/v1/event-types", {}),
        ("/v1/bookings", largest.time),
        (f"/v1/webhooks/{largest.hook}/deliveries", {}),
    ]:
        answer = largest.host.get(path, params={"limit": MAX_PAGE} | params)
        assert _bytes_in_lambda(answer.text) > LAMBDA, path
    reply = plain_client(largest.site.table.endpoint_url).query(
        TableName=largest.site.table.name,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
        ExpressionAttributeValues={":pk": {"S": webhook_key(largest.hook)[0]}, ":sk": {"S": "DELIVERY#"}},
    )
    assert "LastEvaluatedKey" in reply
    assert len(reply["Items"]) < MANY


def test_every_list_of_the_largest_items_is_complete(largest: "Largest") -> None:
    hook = f"/v1/webhooks/{largest.hook}/deliveries"
    link = largest.link["linkId"]
    found = {
        "event types": largest.ids("/v1/event-types", "eventTypes", "eventTypeId"),
        "bookings": largest.ids("/v1/bookings", "bookings", "bookingId", **largest.time),
        "bookings of a link": largest.ids("/v1/bookings", "bookings", "bookingId", linkId=link),
        "links": largest.ids("/v1/links", "links", "linkId"),
        "requests": largest.ids("/v1/link-requests", "requests", "requestId"),
        "history": largest.ids(f"/v1/links/{link}/history", "history", "eventId"),
        "deliveries": largest.ids(hook, "deliveries", "deliveryId"),
        "failed deliveries": largest.ids(hook, "deliveries", "deliveryId", status="failed"),
        "webhooks": largest.ids("/v1/webhooks", "webhooks", "webhookId"),
        "hosts": largest.ids("/v1/hosts", "hosts", "hostId", caller=largest.site.admin),
    }
    assert {name: len(ids) for name, ids in found.items()} == {
        name: len(set(ids)) for name, ids in found.items()
    }, "each once"
    missing = {name: largest.written[name] - set(ids) for name, ids in found.items()}
    assert missing == {name: set() for name in found}
    page = list_links_page({"hostId": largest.host.host_id, "limit": MAX_PAGE}, None)
    assert len(json.dumps(page)) < LAMBDA
    assert {row["linkId"] for row in page["links"]} == largest.written["links"]
    assert largest.exported() == len(largest.written["links"])
    event_type_id = largest.link["eventTypeId"]
    private = largest.host.get(f"/v2/event-types/{event_type_id}/private-links").text
    assert _bytes_in_lambda(private) < LAMBDA - HEADERS
    assert len(json.loads(private)["data"]) == len(largest.written["links"])


def test_a_replay_of_large_deliveries_reaches_the_last_one(largest: "Largest") -> None:
    body = {"from": at(days=-1), "to": at(days=1), "status": "failed"}
    reply = largest.host.post(f"/v1/webhooks/{largest.hook}/replay", body)
    assert (reply.status_code, reply.json()) == (202, {"replayed": MANY, "left": 0, "nextCursor": None})


def _bytes_in_lambda(text: str) -> int:
    """Return the bytes of a response's body as Lambda's runtime client sends it, if it escapes all it can."""
    return len(json.dumps(text))


class Largest:
    """A host whose items are as large as the API accepts: one of each kind is created over HTTP, and then copied."""

    def __init__(self, site: Site, host: Caller, stream: Stream) -> None:
        self.site = site
        self.host = host
        self.store = site.world.store
        self.time: Any = {"from": at(), "to": at(days=30)}
        self.written: dict[str, set[str]] = {}
        event_type = self._event_types()
        self.link = link = self._links(event_type)
        deliver(stream.records())
        # The copies need no events, and the engine would read the whole stream at each write.
        plain_client(site.table.endpoint_url).update_table(
            TableName=site.table.name, StreamSpecification={"StreamEnabled": False}
        )
        self._copy_event_types()
        self._copy_links()
        self._bookings(link)
        self._requests(link)
        event = self._history(link)
        self._webhooks()
        self._deliveries(event)
        self._hosts()

    def ids(
        self, path: str, name: str, field: str, *, caller: Caller | None = None, **params: str
    ) -> list[str]:
        """Return the ids in all pages of a list, and check that each page fits into a response."""
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            query: dict[str, Any] = {"limit": MAX_PAGE, **params, **cursor}
            answer = (caller or self.host).get(path, params=query)
            assert _bytes_in_lambda(answer.text) < LAMBDA - HEADERS, path
            page = ok(answer)
            found += [row[field] for row in page[name]]
            if page["nextCursor"] is None:
                return found
            assert page[name], "a page with a cursor has rows"
            cursor = {"cursor": page["nextCursor"]}

    def exported(self) -> int:
        """Return the number of links in all pages of the CSV export, and check that each page fits."""
        rows = 0
        cursor: dict[str, str] = {}
        while True:
            query: dict[str, Any] = {"limit": MAX_EXPORTED, **cursor}
            answer = self.host.get("/v1/links/export", params=query)
            assert _bytes_in_lambda(answer.text) < LAMBDA - HEADERS
            rows += len(list(csv.DictReader(io.StringIO(answer.text, newline=""))))
            if "Next-Cursor" not in answer.headers:
                return rows
            cursor = {"cursor": answer.headers["Next-Cursor"]}

    def _event_types(self) -> dict[str, Any]:
        options = [f"{number}{WIDE * 190}" for number in range(3)]
        questions = [
            {"id": f"q{number}", "label": WIDE * 250, "kind": "choice", "options": options, "required": False}
            for number in range(16)
        ]
        locations = [{"kind": "custom", "detail": WIDE * MAX_DETAIL_LENGTH}] * 3
        body = _event_type_body(questions=questions, locations=locations)
        made = self._created_at_the_limit("/v1/event-types", body)
        event_type = self.store.event_types.read(made["eventTypeId"])
        assert event_type is not None
        self._event_type = event_type
        asked = [
            {"id": f"q{number}", "label": "?", "kind": "text", "required": False} for number in range(20)
        ]
        used = created(self.host.post("/v1/event-types", _event_type_body(questions=asked)))
        self.written["event types"] = {made["eventTypeId"], used["eventTypeId"]}
        return cast("dict[str, Any]", used)

    def _copy_event_types(self) -> None:
        for later in _instants(self._event_type.created_at):
            copy = _copy(self._event_type, event_type_id=unknown_id(EVENT_TYPE), created_at=later)
            self.store.event_types.create(copy, CAUSE)
            self.written["event types"].add(copy.event_type_id)

    def _created_at_the_limit(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create with a body of the largest size; one byte more is rejected."""
        text = json.dumps(body, ensure_ascii=False).encode()
        assert BODY - 8 * 1024 < len(text) <= BODY, len(text)
        headers = {"Content-Type": "application/json"}
        assert self.host("POST", path, content=text.ljust(BODY + 1), headers=headers).status_code == 413
        return cast(
            "dict[str, Any]", created(self.host("POST", path, content=text.ljust(BODY), headers=headers))
        )

    def _links(self, event_type: dict[str, Any]) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "maxUsageCount": 2,
            "label": WIDE * MAX_LABEL_LENGTH,
            "recipient": {"name": WIDE * MAX_NAME_LENGTH, "email": "grace@invitees.example"},
            "externalId": "e" * 200,
            "metadata": _document(MAX_DOCUMENT_BYTES, "k"),
            "overrides": {"locations": [{"kind": "custom", "detail": WIDE * 450}]},
        }
        over = settings | {"metadata": _document(MAX_DOCUMENT_BYTES + 1, "k")}
        request = {"eventTypeId": event_type["eventTypeId"]}
        assert self.host.post("/v1/links", request | over).status_code == 422
        made = self.host.link(event_type, **settings)
        link = self.store.links.read(made["linkId"])
        assert link is not None
        self._link = link
        self.written["links"] = {link.link_id}
        return made

    def _copy_links(self) -> None:
        """Fill a page, which a list of links can always return as a whole."""
        copies = [
            cast("Link", _copy(self._link, link_id=unknown_id(LINK), created_at=later))
            for later in _instants(self._link.created_at, MAX_PAGE - 1)
        ]
        self._put(cast("Any", self.store.links).item_of(copy, CAUSE) for copy in copies)
        self.written["links"] |= {copy.link_id for copy in copies}

    def _bookings(self, link: dict[str, Any]) -> None:
        # The answers fill the redeem's body.
        answers = {f"q{number}": WIDE * MAX_ANSWER_LENGTH for number in range(7)} | {"q7": WIDE * 1500}
        invitee = {"name": WIDE * MAX_NAME_LENGTH, "email": "grace@invitees.example"}
        body = {"start": at(days=1), "timeZone": "Europe/Berlin", "invitee": invitee, "answers": answers}
        text = json.dumps(body, ensure_ascii=False).encode()
        assert BODY - 4 * 1024 < len(text) <= BODY, len(text)
        reply = self.site.client.post(
            f"{path_of(link)}/redeem",
            content=text,
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        booking = self.store.bookings.read(created(reply)["bookingId"])
        assert booking is not None
        copies = [
            cast("Booking", _copy(booking, booking_id=unknown_id(BOOKING), start=later, end=later))
            for later in _instants(booking.start)
        ]
        self._put(cast("Any", self.store.bookings).item_of(copy, CAUSE) for copy in copies)
        ids = {booking.booking_id, *(copy.booking_id for copy in copies)}
        self.written["bookings"] = self.written["bookings of a link"] = ids

    def _requests(self, link: dict[str, Any]) -> None:
        ok(self.host.post(f"/v1/links/{link['linkId']}/revoke"))
        body = {
            "name": WIDE * MAX_NAME_LENGTH, "email": "grace@invitees.example", "message": WIDE * MAX_MESSAGE_LENGTH,
        }  # fmt: skip
        reply = self.site.client.post(f"/s/{token_of(link)}/request", json=body)
        assert reply.status_code < 300, reply.text
        (request,) = self.store.history.requests_of(link["linkId"], self.site.clock().date(), 2)
        copies = [
            _copy(request, link_id=unknown_id(LINK), requested_at=later)
            for later in _instants(request.requested_at)
        ]
        for copy in copies:
            assert self.store.history.request(copy, CAUSE)
        self.written["requests"] = {request.request_id, *(copy.request_id for copy in copies)}

    def _history(self, link: dict[str, Any]) -> Envelope:
        """Copy the largest event of a link: it has the link's settings."""
        events = [event for _, event in self.store.history.page(link["linkId"], None, 50)]
        event = max(events, key=lambda event: len(msgspec.json.encode(event)))
        copies = [
            _copy(event, event_id=event_id_of("copy", str(later)), time=later)
            for later in _instants(event.time)
        ]
        for copy in copies:
            assert self.store.history.append(copy)
        self.written["history"] = {one.event_id for one in (*events, *copies)}
        return envelope_of(event)

    def _webhooks(self) -> None:
        url = "https://receiver.example.com/".ljust(MAX_URL_LENGTH, "x")
        entry = WebhookEntry(self.site.clock(), "x" * 100, "key:" + "x" * 40, "c" * 128)
        hooks = []
        for _ in range(MAX_WEBHOOKS):
            made = created(
                self.host.post("/v1/webhooks", {"url": url, "description": WIDE * MAX_NOTE_LENGTH})
            )
            webhook = self.store.webhooks.read(made["webhookId"])
            assert webhook is not None
            logged = msgspec.structs.replace(webhook, log=(entry,) * MAX_LOGGED)
            assert self.store.webhooks.change(logged, CAUSE, seen=webhook.sequence)
            hooks.append(made["webhookId"])
        self.hook = hooks[0]
        self.written["webhooks"] = set(hooks)

    def _deliveries(self, envelope: Envelope) -> None:
        excerpt = safe_excerpt(WIDE.encode() * 1000)
        attempts = tuple(
            DeliveryAttempt(
                number=number, time=self.site.clock(), latency_ms=1, status_code=500, excerpt=excerpt
            )
            for number in range(MAX_KEPT_ATTEMPTS)
        )
        ids = set()
        for later in _instants(self.site.clock()):
            event = msgspec.structs.replace(envelope, id=event_id_of("delivered", str(later)))
            delivery = new_delivery(self.hook, str(self.host.host_id), event, later, later)
            failed = given_up(msgspec.structs.replace(delivery, attempts=attempts), "test", None, later)
            assert self.store.deliveries.create(failed, CAUSE)
            ids.add(failed.delivery_id)
        self.written["deliveries"] = self.written["failed deliveries"] = ids

    def _hosts(self) -> None:
        time_off = [{"start": at(days=number), "end": at(days=number, hours=1)} for number in range(200)]
        body = {
            "name": WIDE * MAX_NAME_LENGTH, "publicName": WIDE * MAX_NAME_LENGTH, "email": "ada@hosts.example",
            "timeZone": "America/Argentina/ComodRivadavia", "timeOff": time_off,
        }  # fmt: skip
        made = created(self.site.admin.post("/v1/hosts", body))
        host = self.store.hosts.read(made["hostId"])
        assert host is not None
        copies = [
            _copy(host, host_id=unknown_id(HOST), created_at=later) for later in _instants(host.created_at)
        ]
        for copy in copies:
            self.store.hosts.create(copy, CAUSE)
        self.written["hosts"] = {made["hostId"], *(copy.host_id for copy in copies)}

    def _put(self, items: Iterable[Any]) -> None:
        table = cast("Table", cast("Any", self.store.links)._table)
        table.put_many(items)


def _event_type_body(**fields: Any) -> dict[str, Any]:
    return {"title": "Talk", "durationMinutes": 30, "schedule": ALL_DAY} | fields


def _document(size: int, name: str) -> dict[str, str]:
    """Return a document of that many bytes of JSON."""
    room = size - len(json.dumps({name: ""}, separators=(",", ":")))
    return {name: WIDE * (room // 4) + "x" * (room % 4)}


def _copy(item: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(item, **changes)


def _instants(first: datetime, count: int = MANY) -> list[datetime]:
    return [first + timedelta(seconds=number + 1) for number in range(count)]


@pytest.fixture(scope="module")
def largest(whole_site: Site) -> Largest:
    """The items are written once for the module."""
    return Largest(whole_site, whole_site.host(), Stream(whole_site))


@pytest.fixture
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch
