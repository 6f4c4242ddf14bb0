"""Every door of the app, and the description of them all at `GET /v1/openapi.json`."""

from typing import Final

from chalicelib.api.assets import assets
from chalicelib.api.bookings import bookings
from chalicelib.api.cal_com import cal_com
from chalicelib.api.call import JSON, Call
from chalicelib.api.console import console
from chalicelib.api.csv_links import csv_links
from chalicelib.api.description import description_reply
from chalicelib.api.door import Door, Reply
from chalicelib.api.event_types import event_types
from chalicelib.api.front import front
from chalicelib.api.history import history
from chalicelib.api.hosts import hosts
from chalicelib.api.invitee import invitee
from chalicelib.api.link_request import link_request
from chalicelib.api.links import links
from chalicelib.api.own_booking import own_booking
from chalicelib.api.preflight import preflight_door
from chalicelib.api.share import share
from chalicelib.api.webhooks import webhooks

description = Door(__name__)

DOORS: Final = (
    hosts,
    event_types,
    links,
    csv_links,
    share,
    history,
    bookings,
    webhooks,
    cal_com,
    invitee,
    link_request,
    own_booking,
    console,
    front,
    assets,
    description,
)


@description.on("GET", "/v1/openapi.json", answer=JSON)
def get_openapi(call: Call) -> Reply:
    """Read this API's description. Public, as the code is; 304 for a matching `If-None-Match`."""
    call.query()
    return description_reply(DOORS, call.header("if-none-match"))


PREFLIGHT: Final = preflight_door(DOORS)  # not one of them: OPTIONS is HTTP's, and no operation of this API
