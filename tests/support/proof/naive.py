"""The negative control: a naive redeem that reads, decides and writes without conditions. It must fail the proof.

It reads and writes items in the product's format with a plain client, so the audit can check them.
"""

import json
import os
import secrets
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.bookings.booking import Booking, occupied_span
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import to_millis
from chalicelib.domain.errors import LinkUsedError, SlotTakenError
from chalicelib.domain.ids import BOOKING, make_id
from chalicelib.service.bookings.redeem import Redeemed, RedeemRequest
from chalicelib.service.links.open import open_link
from chalicelib.service.ports import World
from tests.support.audit import cells_between
from tests.support.aws.dynamodb_client import plain_client


def redeem(world: World, token: str, request: RedeemRequest, cause: Cause) -> Redeemed:
    """Book a slot with all of redeem's checks, but without a condition in any write."""
    del cause
    opened = open_link(world, token)  # refuses a link that is used, revoked, expired
    start, link_id, host_id = request.start, opened.link.link_id, opened.host.host_id
    occupied = occupied_span(opened.offer, start)
    cells = cells_between(*(to_millis(edge) for edge in occupied))
    link = _get(f"LINK#{link_id}", "LINK")
    days = {day: _get(f"HOST#{host_id}", f"DAY#{day}") for day, _ in cells}
    taken = {(day, int(cell)) for day, item in days.items() for cell in item.get("busy", {}).get("NS", [])}
    if cells & taken:
        raise SlotTakenError
    uses, most = int(link["usageCount"]["N"]), int(link["maxUsageCount"]["N"])
    if uses >= most:
        raise LinkUsedError

    booking_id = make_id(BOOKING, secrets.token_bytes(16))
    end = start + timedelta(minutes=opened.offer.duration_minutes)
    _put(_booking_item(booking_id, opened.link, request, start, end, occupied))
    receipt = {"pk": {"S": f"LINK#{link_id}"}, "sk": {"S": f"RECEIPT#{secrets.token_hex(8)}"}}
    _put({**receipt, "bookingId": {"S": booking_id}})
    link["usageCount"] = {"N": str(uses + 1)}
    link["sequence"] = {"N": str(int(link["sequence"]["N"]) + 1)}
    if uses + 1 == most:
        link["status"], link["usedAt"], link["purgeAt"] = {"S": "used"}, {"N": "1"}, {"N": "9999999999"}
        link["hostKey"] = {"S": f"HOST#{host_id}#LINK#used"}
        link["eventTypeKey"] = {"S": f"ETYPE#{opened.link.event_type_id}#LINK#used"}
    _put(link)
    for day in days:
        busy = sorted(cell for name, cell in cells | taken if name == day)
        key = {"pk": {"S": f"HOST#{host_id}"}, "sk": {"S": f"DAY#{day}"}}
        _put({**key, "busy": {"NS": [str(cell) for cell in busy]}})
    return Redeemed(_booking(booking_id, opened.link, request, start, end, occupied), replayed=False)


def _booking(
    booking_id: str,
    link: Any,
    request: RedeemRequest,
    start: datetime,
    end: datetime,
    occupied: tuple[datetime, datetime],
) -> Booking:
    return Booking(
        booking_id=booking_id,
        link_id=link.link_id,
        host_id=link.host_id,
        event_type_id=link.event_type_id,
        key_id=link.key_id,
        title="",
        start=start,
        end=end,
        occupied_from=occupied[0],
        occupied_to=occupied[1],
        time_zone=request.time_zone,
        location=None,
        invitee=request.invitee,
        answers={},
        created_at=start,
    )


def _booking_item(
    booking_id: str,
    link: Any,
    request: RedeemRequest,
    start: datetime,
    end: datetime,
    occupied: tuple[datetime, datetime],
) -> dict[str, Any]:
    texts = {
        "pk": f"BOOKING#{booking_id}",
        "sk": "BOOKING",
        "linkId": link.link_id,
        "hostId": link.host_id,
        "eventTypeId": link.event_type_id,
        "status": "confirmed",
        "invitee": json.dumps({"name": request.invitee.name, "email": request.invitee.email}),
        "hostKey": f"HOST#{link.host_id}#BOOKING#confirmed",
        "eventTypeKey": f"ETYPE#{link.event_type_id}#BOOKING#confirmed",
        "referenceKey": f"LINK#{link.link_id}#BOOKING",
        "listSort": f"{to_millis(start):014d}#{booking_id}",
    }
    numbers = {"start": start, "end": end, "occupiedFrom": occupied[0], "occupiedTo": occupied[1]}
    item: dict[str, Any] = {name: {"S": text} for name, text in texts.items()}
    item |= {name: {"N": str(to_millis(instant))} for name, instant in numbers.items()}
    return {**item, "sequence": {"N": "1"}}


def _get(pk: str, sk: str) -> dict[str, Any]:
    key = {"pk": {"S": pk}, "sk": {"S": sk}}
    answer = _client().get_item(TableName=os.environ["TABLE_NAME"], Key=key, ConsistentRead=True)
    item: dict[str, Any] = answer.get("Item", {})
    return item


def _put(item: dict[str, Any]) -> None:
    _client().put_item(TableName=os.environ["TABLE_NAME"], Item=item)


def _client() -> Any:
    return plain_client(os.environ["AWS_ENDPOINT_URL_DYNAMODB"])
