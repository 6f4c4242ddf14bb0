"""The red control: a redeem as it is often written, which reads, decides, and then writes. It must fail the proof."""

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import LinkUsedError, NotFoundError, SlotTakenError
from chalicelib.domain.ids import LINK, make_id
from chalicelib.domain.links import LinkStatus
from chalicelib.domain.occupancy import cells_by_day
from chalicelib.domain.redeeming import Attempt, keyless_receipt_id
from chalicelib.domain.tokens import Purpose, read_token
from chalicelib.service.ports import World
from chalicelib.service.redeem import Redeemed, RedeemRequest, _plan
from chalicelib.store.bookings import Bookings
from chalicelib.store.items import DayItem, Item, LinkItem, day_key, link_key
from chalicelib.store.table import Table


def redeem(world: World, token: str, request: RedeemRequest, cause: Cause) -> Redeemed:
    """Book a slot by a link with no condition on any write. Every check is there; only the order is wrong."""
    claim = read_token(world.keyring(), Purpose.LINK, token)
    if claim is None:
        raise NotFoundError
    link_id = make_id(LINK, claim.raw_id)
    bookings = world.store.bookings
    assert isinstance(bookings, Bookings)
    table = bookings._table

    link, item = world.store.links.read(link_id), table.get(LinkItem, link_key(link_id))
    assert link is not None
    assert item is not None
    booking = _plan(world, link, request)  # refuses a link that is used, expired, revoked
    days = cells_by_day(booking.occupied_from, booking.occupied_to)
    busy = {day: table.get(DayItem, day_key(link.host_id, day)) for day in days}
    if any(item and cells & set(item.busy or ()) for (day, cells) in days.items() if (item := busy[day])):
        raise SlotTakenError
    most = link.settings.max_usage_count
    if most is not None and link.usage_count >= most:
        raise LinkUsedError

    receipt_id = keyless_receipt_id(request.start, request.invitee.email)
    attempt = Attempt(
        link=link,
        booking=booking,
        receipt_id=receipt_id,
        body_hash=request.body_hash,
        now=booking.created_at,
    )
    _put(table, bookings._booking_item(booking, cause))
    _put(table, bookings._receipt_item(attempt, cause))
    item.usage_count += 1
    item.sequence += 1
    if item.usage_count == most:
        item.status = LinkStatus.USED.value
        item.used_at = booking.created_at
        item.host_key = f"HOST#{link.host_id}#LINK#used"
        item.event_type_key = f"ETYPE#{link.event_type_id}#LINK#used"
    _put(table, item)
    for day, cells in days.items():
        before = busy[day]
        pk, sk = day_key(link.host_id, day)
        _put(table, DayItem(pk, sk, busy={*cells, *((before and before.busy) or ())}))
    return Redeemed(booking, replayed=False)


def _put(table: Table, item: Item) -> None:
    table._send("PutItem", table.operation(item.key, item=item, tell=False))
