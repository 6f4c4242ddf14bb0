"""Share a link: return it with its offer and its host. Nothing is changed."""

import msgspec

from chalicelib.domain.errors import ConflictError, NotFoundError
from chalicelib.domain.event_types.event_type import EventSettings
from chalicelib.domain.event_types.offers import offer_of
from chalicelib.domain.links.link import Link, LinkStatus
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.team.hosts import Host
from chalicelib.service.links.read import read_link
from chalicelib.service.ports import World


class Shareable(msgspec.Struct, frozen=True):
    """A link that can still be used, now or later, with its offer and its host."""

    link: Link
    offer: EventSettings
    host: Host


def share_link(world: World, caller: Caller, link_id: str) -> Shareable:
    """Return a link with its offer and its host; two round trips. Nothing is changed.

    Raises `NotFoundError`; `ConflictError` for a link that nobody can book with any more, so that the host learns it
    before the invitee does.
    """
    link = read_link(world, caller, link_id)
    status = link.status_at(world.now())
    if status is not LinkStatus.ACTIVE:
        raise ConflictError(f"This link is {status}: nobody can book with it.")
    event_type, host = world.store.event_types.read_with_host(link.event_type_id, link.host_id)
    if event_type is None or host is None:
        raise NotFoundError
    if event_type.archived:
        raise ConflictError("This link's event type was deleted: nobody can book with it.")
    return Shareable(link, offer_of(event_type.settings, link.settings.overrides), host)
