"""Resolve the host that a request applies to: the caller's own, or the host that an admin names (P9)."""

from chalicelib.domain.errors import FieldFault, InvalidValueError, NotFoundError
from chalicelib.domain.ids import EVENT_TYPE, HOST, is_id
from chalicelib.domain.team.api_keys import Caller
from chalicelib.service.ports import World


def owner_of(world: World, caller: Caller, host_id: str | None, event_type_id: str | None = None) -> str:
    """Return the host that a request applies to: of the event type it names, the host it names, or the caller's.

    Raises `NotFoundError` for another host, or if the event type is not the host's; `InvalidValueError` if an admin
    names neither.
    """
    if event_type_id is not None:
        found = world.store.event_types.read(event_type_id) if is_id(EVENT_TYPE, event_type_id) else None
        event_type = caller.require_visible(found)
        if host_id not in (None, event_type.host_id):
            raise NotFoundError
        return event_type.host_id
    wanted = host_id if host_id is not None else caller.host_id
    if wanted is None:
        raise InvalidValueError([FieldFault("/hostId", "is required with an admin key")])
    if not is_id(HOST, wanted) or not caller.may_see(wanted):
        raise NotFoundError
    return wanted
