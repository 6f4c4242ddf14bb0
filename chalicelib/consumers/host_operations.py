"""Operations on behalf of one host, for the command queue and the direct functions."""

from msgspec import UNSET

from chalicelib.consumers.payloads import GeneratePayload, RedeemPayload
from chalicelib.domain.bookings.receipt import hash_body
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import LinkDeletedError, NotFoundError
from chalicelib.domain.ids import HOST, is_id
from chalicelib.domain.links.link import MAX_LINKS_PER_BATCH
from chalicelib.domain.team.api_keys import Caller, Role
from chalicelib.domain.tokens import Purpose, open_token, token_in
from chalicelib.service.bookings.redeem import Redeemed, redeem_for_host
from chalicelib.service.links.generate import GenerateRequest
from chalicelib.service.links.send_many import Wording
from chalicelib.service.ports import World
from chalicelib.wire.requests.bookings import redeem_request


def acting_for(host_id: str) -> Caller:
    """Return a caller that acts for one host. The host is not checked: IAM decides who may send commands and calls.

    Raises `NotFoundError` if it is not a host id.
    """
    if not is_id(HOST, host_id):
        raise NotFoundError
    return Caller("", Role.HOST, host_id)


def generate_request(payload: GeneratePayload, key: str | None) -> GenerateRequest:
    """Return the request to generate up to 10,000 links."""
    return GenerateRequest(
        event_type_id=payload.event_type_id,
        links=payload.links(MAX_LINKS_PER_BATCH),
        from_items=bool(payload.items),
        idempotency_key=key,
        body_hash=hash_body(payload),
        queued=True,
    )


def wording_of(payload: GeneratePayload) -> Wording | None:
    """Return the message and language of the emails with the links, or None if the links are not emailed."""
    send = payload.send
    return None if send is UNSET else Wording(message=send.message, language=send.language)


def redeem_named_link(world: World, payload: RedeemPayload, key: str | None, cause: Cause) -> Redeemed:
    """Redeem the link that a payload names, for its host. Raises the errors of `service.bookings.redeem`."""
    caller = acting_for(payload.host_id)
    kind, named = payload.link()
    request = redeem_request(payload.body(), key, queued=key is not None)
    link_id = named if kind == "linkId" else _link_of_secret(world, named)
    return redeem_for_host(world, caller, link_id, request, cause)


def _link_of_secret(world: World, secret: str) -> str:
    """Return the link id for a token or URL, regardless of owner. A forged token costs no read (P7).

    Raises `NotFoundError` for a forged token, `LinkDeletedError` for a deleted link.
    """
    link_id = open_token(world.keyring(), Purpose.LINK, token_in(secret)).item_id
    if world.store.links.read(link_id) is None:
        raise LinkDeletedError
    return link_id
