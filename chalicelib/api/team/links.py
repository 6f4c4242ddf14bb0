"""`/v1/links`: generate, list, read, change, revoke and delete links."""

from typing import Final

import msgspec

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.team.routing import PAGING, one_of, page_limit, team_router
from chalicelib.domain.bookings.receipt import hash_body
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.event_types.contradictions import warnings_of_links
from chalicelib.domain.event_types.event_type import EventType
from chalicelib.domain.links.link import MAX_LINKS_PER_CALL, Link, LinkStatus
from chalicelib.domain.mail.email_addresses import masked_address
from chalicelib.service.event_types import read_event_type
from chalicelib.service.links.change import change_link
from chalicelib.service.links.generate import GenerateRequest, generate, warnings_of_generated
from chalicelib.service.links.list import ListRequest, list_links
from chalicelib.service.links.read import read_link
from chalicelib.service.links.replace import replace_link
from chalicelib.service.links.revoke import BulkResult, bulk_delete, bulk_revoke, delete_link, revoke_link
from chalicelib.service.links.rolling import read_rolling_link, renew_rolling_link
from chalicelib.service.links.send import send_link
from chalicelib.wire.bulk import bulk_answer, require_response_fits
from chalicelib.wire.requests.links import LinkChanges, LinkIdsBody, LinksBody, SendBody
from chalicelib.wire.responses.links import (
    BulkAnswer,
    LinkAnswer,
    LinkPageAnswer,
    LinksAnswer,
    SavedLinkAnswer,
    SendAnswer,
    link_answer,
)
from chalicelib.wire.responses.warnings import warnings_answer

MANY_LINKS: Final = (
    3_500_000  # bytes; the response repeats the links and must stay within Lambda's limit of 6 MB
)

links = team_router(__name__)


@links.on(
    "POST", "/v1/links", body=LinksBody, answer=LinksAnswer, status=201, keyed=True, max_bytes=MANY_LINKS
)
def post_links(call: Call) -> Reply:
    """Generate 1 to 1,000 links of one event type."""
    body = call.decode(LinksBody)
    requested = body.links(MAX_LINKS_PER_CALL)
    require_response_fits(requested)
    request = GenerateRequest(
        event_type_id=body.event_type_id,
        links=requested,
        from_items=bool(body.items),
        idempotency_key=call.idempotency_key,
        body_hash=hash_body(body),
    )
    made = generate(call.world, call.caller, request, call.cause())
    return json_reply(
        201,
        LinksAnswer(
            batch_id=made.batch_id,
            links=_answers(call, made.links),
            warnings=warnings_answer(warnings_of_generated(made, request, now=call.world.now())),
        ),
    )


@links.on(
    "GET",
    "/v1/links",
    query=("hostId", "eventTypeId", "status", "q", "batchId", *PAGING),
    answer=LinkPageAnswer,
)
def get_links(call: Call) -> Reply:
    """List a host's links, newest first; with `batchId`, the batch's links in the order of the request for them."""
    query = call.query()
    request = ListRequest(
        host_id=query.get("hostId"),
        event_type_id=query.get("eventTypeId"),
        status=one_of(query, "status", LinkStatus),
        query=query.get("q"),
        cursor=query.get("cursor"),
        limit=page_limit(query),
        batch_id=query.get("batchId"),
    )
    page = list_links(call.world, call.caller, request)
    return json_reply(200, LinkPageAnswer(links=_answers(call, page.rows), next_cursor=page.next_cursor))


@links.on("GET", "/v1/links/{linkId}", answer=LinkAnswer)
def get_link(call: Call) -> Reply:
    """Read a link."""
    return _link_reply(call, read_link(call.world, call.caller, call.path("linkId")))


@links.on("PATCH", "/v1/links/{linkId}", body=LinkChanges, answer=SavedLinkAnswer)
def patch_link(call: Call) -> Reply:
    """Change a link. Absent fields keep their values; null clears a field."""
    changes = call.decode(LinkChanges)
    changed = change_link(call.world, call.caller, call.path("linkId"), changes.applied_to, call.cause())
    return _saved_reply(call, changed, call.world.store.event_types.read(changed.event_type_id))


@links.on("DELETE", "/v1/links/{linkId}", status=204)
def delete_links_one(call: Call) -> Reply:
    """Delete a link; its bookings stay."""
    delete_link(call.world, call.caller, call.path("linkId"), call.cause())
    return Reply(204)


@links.on("POST", "/v1/links/{linkId}/revoke", answer=LinkAnswer)
def post_revoke(call: Call) -> Reply:
    """Revoke a link."""
    return _link_reply(call, revoke_link(call.world, call.caller, call.path("linkId"), call.cause()))


@links.on("POST", "/v1/links/{linkId}/replace", answer=SavedLinkAnswer, status=201, keyed=True)
def post_replace(call: Call) -> Reply:
    """Create a link that replaces this link. If the old link is active, it is revoked."""
    fresh = replace_link(call.world, call.caller, call.path("linkId"), call.idempotency_key, call.cause())
    return _saved_reply(call, fresh, call.world.store.event_types.read(fresh.event_type_id), 201)


@links.on("POST", "/v1/links/{linkId}/send", body=SendBody, answer=SendAnswer, status=202, keyed=True)
def post_send(call: Call) -> Reply:
    """Email an active link to its recipient."""
    body = call.decode(SendBody) if call.body() else SendBody()
    request = send_link(
        call.world,
        call.caller,
        call.path("linkId"),
        body.message,
        body.language,
        call.idempotency_key,
        call.cause(),
    )
    return json_reply(
        202,
        SendAnswer(
            status="queued",
            link_id=request.link_id,
            to=masked_address(request.to),
            language=request.language,
            requested_at=rfc3339(request.requested_at),
        ),
    )


@links.on("GET", "/v1/event-types/{eventTypeId}/rolling-link", answer=LinkAnswer)
def get_rolling_link(call: Call) -> Reply:
    """Read the rolling link. When it is used, a new one replaces it."""
    return _link_reply(call, read_rolling_link(call.world, call.caller, call.path("eventTypeId")))


@links.on(
    "POST",
    "/v1/event-types/{eventTypeId}/rolling-link",
    body=LinkChanges,
    answer=SavedLinkAnswer,
    status=201,
    keyed=True,
)
def post_rolling_link(call: Call) -> Reply:
    """Create or replace the rolling link. If there is an active one, it is revoked."""
    changes = call.decode(LinkChanges) if call.body() else LinkChanges()
    event_type = read_event_type(call.world, call.caller, call.path("eventTypeId"))
    renewed = renew_rolling_link(
        call.world,
        call.caller,
        event_type.event_type_id,
        changes.applied_to,
        call.cause(),
        idempotency_key=call.idempotency_key,
        body_hash=hash_body(changes),
    )
    return _saved_reply(call, renewed, event_type, 201)


@links.on("POST", "/v1/links/bulk-revoke", body=LinkIdsBody, answer=BulkAnswer)
def post_bulk_revoke(call: Call) -> Reply:
    """Revoke many links independently of each other."""
    ids = call.decode(LinkIdsBody).link_ids
    return _bulk_reply(bulk_revoke(call.world, call.caller, ids, call.cause()))


@links.on("POST", "/v1/links/bulk-delete", body=LinkIdsBody, answer=BulkAnswer)
def post_bulk_delete(call: Call) -> Reply:
    """Delete many links independently of each other."""
    ids = call.decode(LinkIdsBody).link_ids
    return _bulk_reply(bulk_delete(call.world, call.caller, ids, call.cause()))


def _answers(call: Call, found: list[Link]) -> list[LinkAnswer]:
    base = call.base_url
    ring, now = call.world.keyring(), call.world.now()
    return [link_answer(link, ring, base, now) for link in found]


def _link_reply(call: Call, link: Link, status: int = 200) -> Reply:
    return json_reply(status, _answers(call, [link])[0])


def _saved_reply(call: Call, link: Link, event_type: EventType | None, status: int = 200) -> Reply:
    found = warnings_of_links(event_type.settings, [link], now=call.world.now()) if event_type else []
    answer = msgspec.structs.asdict(_answers(call, [link])[0])
    return json_reply(status, SavedLinkAnswer(**answer, warnings=warnings_answer(found)))


def _bulk_reply(results: list[BulkResult]) -> Reply:
    return json_reply(200, bulk_answer(results))
