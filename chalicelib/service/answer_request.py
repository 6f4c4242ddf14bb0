"""Answer a request for a new link: one fresh link, made together with the mark that says so."""

from chalicelib.domain.api_keys import Caller
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import ConflictError, NotFoundError
from chalicelib.domain.ids import ID_BYTES, LINK, make_id
from chalicelib.domain.links import Link
from chalicelib.service.contention import until_decided
from chalicelib.service.ports import World
from chalicelib.service.replace import put_in_place


def answer_link_request(world: World, caller: Caller, request_id: str, cause: Cause) -> Link:
    """Make the link that a request asks for, with the settings of the one it is about, and return it.

    The request is its own receipt: however often and by how many at once it is answered, one link is made (P4),
    and everyone gets it as it now stands.
    Raises `NotFoundError`: no such request, another's (P9), or one of the links was deleted; `ConflictError` when
    the event type was deleted: nothing could be booked.
    """
    fresh_id = make_id(LINK, world.random_bytes(ID_BYTES))

    def attempt() -> Link | None:
        found = world.store.history.read_requests([request_id])
        if not found or not caller.may_see(found[0].host_id):
            raise NotFoundError
        request = found[0]
        if request.replacement_link_id is not None:
            made = world.store.links.read(request.replacement_link_id)
            if made is None:
                raise NotFoundError("The link that answered this request was deleted since.")
            return made
        old = world.store.links.read(request.link_id)
        if old is None:
            raise NotFoundError("The link that this request is about was deleted.")
        event_type = world.store.event_types.read(old.event_type_id)
        if event_type is None or event_type.archived:
            raise ConflictError("This link's event type was deleted.")
        return put_in_place(world, old, fresh_id, cause, now=world.now(), answers=request)

    return until_decided(world, attempt)
