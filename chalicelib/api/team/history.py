"""`/v1/links/{linkId}/history`: the events of a link, and the number of its opens."""

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.team.routing import PAGING, page_limit, team_router
from chalicelib.service.events.read_history import read_history
from chalicelib.wire.responses.history import HistoryAnswer, event_answer, opens_answer

history = team_router(__name__)


@history.on("GET", "/v1/links/{linkId}/history", query=PAGING, answer=HistoryAnswer)
def get_history(call: Call) -> Reply:
    """List a link's events, newest first, and the number of its opens. Works for deleted links as well."""
    query = call.query()
    found = read_history(call.world, call.caller, call.path("linkId"), query.get("cursor"), page_limit(query))
    return json_reply(
        200,
        HistoryAnswer(
            history=[event_answer(event) for event in found.page.rows],
            opens=opens_answer(found.opens),
            next_cursor=found.page.next_cursor,
        ),
    )
