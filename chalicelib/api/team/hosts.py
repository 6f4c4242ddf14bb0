"""`/v1/hosts`, `/v1/me`: an admin creates and lists hosts; a host reads and changes its own settings."""

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.team.routing import PAGING, page_limit, team_router
from chalicelib.service.team.hosts import change_host, create_host, list_hosts, own_host, read_host
from chalicelib.wire.requests.hosts import HostBody, HostChanges
from chalicelib.wire.responses.hosts import HostAnswer, HostsAnswer, MeAnswer, host_answer, me_answer

hosts = team_router(__name__)


@hosts.on("POST", "/v1/hosts", body=HostBody, answer=HostAnswer, status=201, keyed=True)
def post_hosts(call: Call) -> Reply:
    """Create a host."""
    settings, key = call.decode(HostBody).settings(), call.idempotency_key
    host = create_host(call.world, call.caller, settings, call.cause(), idempotency_key=key)
    return json_reply(201, host_answer(host))


@hosts.on("GET", "/v1/hosts", query=PAGING, answer=HostsAnswer)
def get_hosts(call: Call) -> Reply:
    """List the team's hosts, newest first."""
    query = call.query()
    page = list_hosts(call.world, call.caller, query.get("cursor"), page_limit(query))
    return json_reply(
        200, HostsAnswer(hosts=[host_answer(host) for host in page.rows], next_cursor=page.next_cursor)
    )


@hosts.on("GET", "/v1/me", answer=MeAnswer)
def get_me(call: Call) -> Reply:
    """Return the role and host of this API key, and the base URL of links."""
    call.query()
    own = own_host(call.world, call.caller)
    return json_reply(200, me_answer(call.caller, own, call.base_url))


@hosts.on("GET", "/v1/hosts/{hostId}", answer=HostAnswer)
def get_host(call: Call) -> Reply:
    """Read a host."""
    return json_reply(200, host_answer(read_host(call.world, call.caller, call.path("hostId"))))


@hosts.on("PATCH", "/v1/hosts/{hostId}", body=HostChanges, answer=HostAnswer)
def patch_host(call: Call) -> Reply:
    """Change a host, including its time off."""
    changes = call.decode(HostChanges)
    host = change_host(call.world, call.caller, call.path("hostId"), changes.applied_to, call.cause())
    return json_reply(200, host_answer(host))
