"""All routers of the app, and `GET /v1/openapi.json`, which describes them."""

from typing import Final

from chalicelib.api.http.call import JSON, Call
from chalicelib.api.http.preflight import preflight_router
from chalicelib.api.http.routing import Reply, Router
from chalicelib.api.invitee.cancel import cancellations
from chalicelib.api.invitee.link_request import link_request
from chalicelib.api.invitee.move import moves
from chalicelib.api.invitee.offer import offers
from chalicelib.api.invitee.own_booking import own_booking
from chalicelib.api.invitee.redeem import redeems
from chalicelib.api.openapi.view import description_reply
from chalicelib.api.site.assets import assets
from chalicelib.api.site.console import console
from chalicelib.api.site.landing import landing
from chalicelib.api.site.version import version
from chalicelib.api.team.bookings import bookings
from chalicelib.api.team.cal_com import cal_com
from chalicelib.api.team.event_types import event_types
from chalicelib.api.team.history import history
from chalicelib.api.team.hosts import hosts
from chalicelib.api.team.imports import imports
from chalicelib.api.team.link_requests import link_requests
from chalicelib.api.team.links import links
from chalicelib.api.team.share import share
from chalicelib.api.team.webhooks import webhooks

description = Router(__name__)

ROUTERS: Final = (
    hosts,
    event_types,
    links,
    imports,
    share,
    history,
    link_requests,
    bookings,
    webhooks,
    cal_com,
    offers,
    redeems,
    link_request,
    own_booking,
    cancellations,
    moves,
    console,
    landing,
    assets,
    version,
    description,
)


@description.on("GET", "/v1/openapi.json", answer=JSON)
def get_openapi(call: Call) -> Reply:
    """Return the API description, or 304 if `If-None-Match` matches.

    It requires no API key, because the source code is public too.
    """
    call.query()
    return description_reply(ROUTERS, call.header("if-none-match"))


# Not in ROUTERS, because OPTIONS is part of HTTP and not an operation of this API.
PREFLIGHT: Final = preflight_router(ROUTERS)
