"""`/v1/link-requests`: requests for a new link, and their answers."""

import msgspec

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.team.routing import PAGING, is_true, page_limit, team_router
from chalicelib.service.links.answer_link_request import answer_link_request
from chalicelib.service.links.request_link import list_link_requests
from chalicelib.service.links.send_many import Wording
from chalicelib.wire.requests.link_requests import AnswerBody
from chalicelib.wire.responses.link_requests import AnsweredAnswer, LinkRequestsAnswer, link_request_answer
from chalicelib.wire.responses.links import link_answer

link_requests = team_router(__name__)


@link_requests.on(
    "GET", "/v1/link-requests", query=("hostId", "answered", *PAGING), answer=LinkRequestsAnswer
)
def get_link_requests(call: Call) -> Reply:
    """List the open requests for a new link, newest first; with `?answered=true`, the answered ones."""
    query = call.query()
    page = list_link_requests(
        call.world,
        call.caller,
        query.get("hostId"),
        query.get("cursor"),
        page_limit(query),
        answered=is_true(query, "answered"),
    )
    rows = [link_request_answer(request) for request in page.rows]
    return json_reply(200, LinkRequestsAnswer(requests=rows, next_cursor=page.next_cursor))


@link_requests.on(
    "POST", "/v1/link-requests/{requestId}/answer", body=AnswerBody, answer=AnsweredAnswer, status=201
)
def post_answer(call: Call) -> Reply:
    """Answer a request with a new link, created only once, and email it."""
    body = call.decode(AnswerBody) if call.body() else AnswerBody()
    done = answer_link_request(
        call.world,
        call.caller,
        call.path("requestId"),
        body.mail_to,
        Wording(message=body.message, language=body.language),
        call.cause(),
    )
    link = link_answer(done.link, call.world.keyring(), call.base_url, call.world.now())
    return json_reply(201, AnsweredAnswer(**msgspec.structs.asdict(link), mailed_to=done.mailed_to))
