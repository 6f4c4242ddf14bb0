"""`/v1/links/{linkId}/history`, `/v1/link-requests`: what happened to links, and who asks for a new one."""

from typing import Any

from chalicelib import bootstrap
from chalicelib.api.call import Call
from chalicelib.api.door import Reply, json_reply
from chalicelib.api.team import PAGING, page_limit, team_door
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.events import Event
from chalicelib.domain.link_requests import LinkRequest
from chalicelib.service.ask_for_link import list_link_requests
from chalicelib.service.read_history import read_history

history = team_door(__name__)


@history.on("GET", "/v1/links/{linkId}/history")
def get_history(call: Call) -> Reply:
    """List what happened to a link, newest first, with how often it was opened; of a deleted link too."""
    query = call.query(*PAGING)
    found = read_history(
        bootstrap.world(), call.caller, call.path("linkId"), query.get("cursor"), page_limit(query)
    )
    opens = found.opens
    return json_reply(
        200,
        {
            "history": [_event_json(event) for event in found.page.rows],
            "opens": {
                "firstOpenedAt": rfc3339(opens.first_opened_at) if opens.first_opened_at else None,
                "persons": opens.persons,
                "machines": opens.machines,
            },
            "nextCursor": found.page.next_cursor,
        },
    )


@history.on("GET", "/v1/link-requests")
def get_link_requests(call: Call) -> Reply:
    """List the requests for a new link that holders of dead ones made, newest first."""
    query = call.query("hostId", *PAGING)
    page = list_link_requests(
        bootstrap.world(), call.caller, query.get("hostId"), query.get("cursor"), page_limit(query)
    )
    rows = [_request_json(request) for request in page.rows]
    return json_reply(200, {"requests": rows, "nextCursor": page.next_cursor})


def _event_json(event: Event) -> dict[str, Any]:
    return {
        "eventId": event.event_id,
        "type": event.type.value,
        "time": rfc3339(event.time),
        "bookingId": event.booking_id,
        "sequence": event.sequence,
        "actor": event.cause.actor,
        "correlationId": event.cause.correlation_id,
        "data": event.data,
    }


def _request_json(request: LinkRequest) -> dict[str, Any]:
    return {
        "linkId": request.link_id,
        "eventTypeId": request.event_type_id,
        "requestedAt": rfc3339(request.requested_at),
        "name": request.name,
        "email": request.email,
        "message": request.message,
        "reason": request.reason,
    }
