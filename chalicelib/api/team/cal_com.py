"""`/v2/event-types/{eventTypeId}/private-links`: routes for clients written for Cal.com's private links API.

The paths, fields and envelope are the same. `docs/cal-com.md` lists the differences.
"""

from datetime import datetime
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.api.http.authorizer import api_key
from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, Router, json_reply
from chalicelib.domain.bookings.receipt import hash_body
from chalicelib.domain.errors import AdmitOneError, NotFoundError
from chalicelib.domain.links.link import Link, LinkSettings, LinkStatus
from chalicelib.domain.listings import MAX_PAGE
from chalicelib.service.links.change import change_link
from chalicelib.service.links.generate import GenerateRequest, generate
from chalicelib.service.links.list import ListRequest, list_links
from chalicelib.service.links.read import read_link
from chalicelib.service.links.revoke import delete_link
from chalicelib.wire.instants import Instant
from chalicelib.wire.problems import STATUSES
from chalicelib.wire.requests.links import LinkChanges
from chalicelib.wire.responses.links import link_answer

MAX_LISTED: Final = 1000
_PATH: Final = "/v2/event-types/{eventTypeId}/private-links"


class PrivateLinkBody(msgspec.Struct, rename="camel", frozen=True):
    """The body that Cal.com's clients send. Unknown fields are ignored, as Cal.com does. -1 uses means no limit."""

    expires_at: Instant | None | UnsetType = UNSET
    max_usage_count: int | None | UnsetType = UNSET

    def changes(self) -> LinkChanges:
        """Return the body as changes to a link's settings."""
        limit = None if self.max_usage_count == -1 else self.max_usage_count
        return LinkChanges(expires_at=self.expires_at, max_usage_count=limit)


class PrivateLinkData(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """A link as Cal.com's API returns it."""

    link_id: str
    event_type_id: str
    is_expired: bool
    booking_url: str | None
    expires_at: str | None
    max_usage_count: int | None
    usage_count: int


class DeletedPrivateLinkData(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """The link that was deleted."""

    link_id: str
    message: str = "Private link deleted"


class PrivateLinkAnswer(msgspec.Struct, frozen=True):
    """One link, in Cal.com's envelope."""

    data: PrivateLinkData
    status: Literal["success"] = "success"


class PrivateLinksAnswer(msgspec.Struct, frozen=True):
    """Links, in Cal.com's envelope."""

    data: list[PrivateLinkData]
    status: Literal["success"] = "success"


class DeletedPrivateLinkAnswer(msgspec.Struct, frozen=True):
    """A deletion, in Cal.com's envelope."""

    data: DeletedPrivateLinkData
    status: Literal["success"] = "success"


def _show_error(call: Call, error: AdmitOneError) -> Reply:
    status = STATUSES[type(error)]
    document = {"status": "error", "error": {"code": error.code, "message": error.detail}}
    return json_reply(status, document | {"correlationId": call.correlation_id})


cal_com = Router(__name__, authorizer=api_key, show_error=_show_error)


@cal_com.on("POST", _PATH, body=PrivateLinkBody, answer=PrivateLinkAnswer, status=201, keyed=True)
def post_private_links(call: Call) -> Reply:
    """Create a private link. With an expiry and no count, only the date limits it, as in Cal.com's API."""
    body = call.decode(PrivateLinkBody) if call.body() else PrivateLinkBody()
    settings = body.changes().applied_to(LinkSettings())
    if body.expires_at is not UNSET and body.max_usage_count is UNSET:
        settings = msgspec.structs.replace(settings, max_usage_count=None)
    request = GenerateRequest(
        event_type_id=call.path("eventTypeId"),
        links=[settings],
        from_items=False,
        idempotency_key=call.idempotency_key,
        body_hash=hash_body([call.path("eventTypeId"), body]),
    )
    (link,) = generate(call.world, call.caller, request, call.cause()).links
    return json_reply(201, PrivateLinkAnswer(_data(call, link)))


@cal_com.on("GET", _PATH, answer=PrivateLinksAnswer)
def get_private_links(call: Call) -> Reply:
    """List an event type's private links, newest first, at most the newest 1,000."""
    found, cursor = list[Link](), None
    while len(found) < MAX_LISTED:
        request = ListRequest(
            host_id=None,
            event_type_id=call.path("eventTypeId"),
            status=None,
            query=None,
            cursor=cursor,
            limit=MAX_PAGE,
        )
        page = list_links(call.world, call.caller, request)
        found += page.rows
        cursor = page.next_cursor
        if cursor is None:
            break
    return json_reply(200, PrivateLinksAnswer([_data(call, link) for link in found]))


@cal_com.on("PATCH", _PATH + "/{linkId}", body=PrivateLinkBody, answer=PrivateLinkAnswer)
def patch_private_link(call: Call) -> Reply:
    """Change a private link's expiry or count."""
    changes = call.decode(PrivateLinkBody).changes()
    _require_of_event_type(call)
    link = change_link(call.world, call.caller, call.path("linkId"), changes.applied_to, call.cause())
    return json_reply(200, PrivateLinkAnswer(_data(call, link)))


@cal_com.on("DELETE", _PATH + "/{linkId}", answer=DeletedPrivateLinkAnswer)
def delete_private_link(call: Call) -> Reply:
    """Delete a private link."""
    _require_of_event_type(call)
    delete_link(call.world, call.caller, call.path("linkId"), call.cause())
    return json_reply(200, DeletedPrivateLinkAnswer(DeletedPrivateLinkData(link_id=call.path("linkId"))))


def _require_of_event_type(call: Call) -> None:
    link = read_link(call.world, call.caller, call.path("linkId"))
    if link.event_type_id != call.path("eventTypeId"):
        raise NotFoundError


def _with_milliseconds(instant: datetime | None) -> str | None:
    """Return an instant as Cal.com's API writes it, `2026-12-31T23:00:00.000Z`, or None."""
    return None if instant is None else f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def _data(call: Call, link: Link) -> PrivateLinkData:
    now = call.world.now()
    answer = link_answer(link, call.world.keyring(), call.base_url, now)
    return PrivateLinkData(
        link_id=answer.link_id,
        event_type_id=answer.event_type_id,
        is_expired=link.status_at(now) is not LinkStatus.ACTIVE,
        booking_url=answer.url,
        expires_at=_with_milliseconds(link.settings.expires_at),
        max_usage_count=answer.max_usage_count,
        usage_count=answer.usage_count,
    )
