"""`/v1/event-types`: create, list, read, change and archive event types."""

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import SMALL_BODY, Reply, json_reply
from chalicelib.api.team.routing import PAGING, is_true, page_limit, team_router
from chalicelib.domain.event_types.contradictions import warnings_of_event_type
from chalicelib.domain.event_types.event_type import EventType
from chalicelib.domain.team.hosts import Host
from chalicelib.service.event_types import (
    archive_event_type,
    change_event_type,
    create_event_type,
    list_event_types,
    read_event_type,
)
from chalicelib.service.team.owner import owner_of
from chalicelib.wire.requests.event_types import EventTypeBody, EventTypeChanges
from chalicelib.wire.responses.event_types import (
    EventTypeAnswer,
    EventTypesAnswer,
    SavedEventTypeAnswer,
    event_type_answer,
    saved_event_type_answer,
)

event_types = team_router(__name__)


@event_types.on(
    "POST",
    "/v1/event-types",
    body=EventTypeBody,
    answer=SavedEventTypeAnswer,
    status=201,
    keyed=True,
    max_bytes=SMALL_BODY,
)
def post_event_types(call: Call) -> Reply:
    """Create an event type."""
    body = call.decode(EventTypeBody)
    owner = owner_of(call.world, call.caller, body.host_id)
    # The host is read before the write: an error after the write would hide that the write succeeded.
    host = call.world.store.hosts.read(owner)
    made = create_event_type(
        call.world,
        call.caller,
        owner,
        body.settings(),
        call.cause(),
        idempotency_key=call.idempotency_key,
    )
    return _saved(call, 201, made, host)


@event_types.on("GET", "/v1/event-types", query=("hostId", "archived", *PAGING), answer=EventTypesAnswer)
def get_event_types(call: Call) -> Reply:
    """List a host's event types, newest first; with `?archived=true`, the archived ones."""
    query = call.query()
    page = list_event_types(
        call.world,
        call.caller,
        query.get("hostId"),
        query.get("cursor"),
        page_limit(query),
        archived=is_true(query, "archived"),
    )
    listed = [event_type_answer(event_type) for event_type in page.rows]
    return json_reply(200, EventTypesAnswer(event_types=listed, next_cursor=page.next_cursor))


@event_types.on("GET", "/v1/event-types/{eventTypeId}", answer=EventTypeAnswer)
def get_event_type(call: Call) -> Reply:
    """Read an event type."""
    found = read_event_type(call.world, call.caller, call.path("eventTypeId"))
    return json_reply(200, event_type_answer(found))


@event_types.on(
    "PATCH",
    "/v1/event-types/{eventTypeId}",
    body=EventTypeChanges,
    answer=SavedEventTypeAnswer,
    max_bytes=SMALL_BODY,
)
def patch_event_type(call: Call) -> Reply:
    """Change an event type."""
    changes = call.decode(EventTypeChanges)
    changed = change_event_type(
        call.world, call.caller, call.path("eventTypeId"), changes.applied_to, call.cause()
    )
    return _saved(call, 200, changed, call.world.store.hosts.read(changed.host_id))


@event_types.on("DELETE", "/v1/event-types/{eventTypeId}", query=("revokeLinks",), status=204)
def delete_event_type(call: Call) -> Reply:
    """Archive an event type. If it has active links, `?revokeLinks=true` is required; it revokes them."""
    archive_event_type(
        call.world,
        call.caller,
        call.path("eventTypeId"),
        revoke_links=is_true(call.query(), "revokeLinks"),
        cause=call.cause(),
    )
    return Reply(204)


def _saved(call: Call, status: int, event_type: EventType, host: Host | None) -> Reply:
    warnings = warnings_of_event_type(
        event_type.settings,
        now=call.world.now(),
        time_off=host.settings.time_off if host else (),
    )
    return json_reply(status, saved_event_type_answer(event_type, warnings))
