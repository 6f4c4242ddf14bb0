"""Payloads of commands and direct calls: the request bodies of the HTTP API, plus the host to act for."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.domain.errors import FieldFault, InvalidRequestError
from chalicelib.domain.links.link import LinkStatus
from chalicelib.domain.listings import DEFAULT_PAGE
from chalicelib.wire.requests.bookings import RedeemBody
from chalicelib.wire.requests.links import LinkIdsBody, LinksBody, SendBody

_KEY: Final = msgspec.Meta(pattern=r"^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?\Z")
_CORRELATION: Final = msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,100}\Z")


class GeneratePayload(LinksBody, frozen=True, kw_only=True):
    """Links to generate, as `POST /v1/links` accepts them; with `send`, each is emailed to its recipient."""

    host_id: str
    send: SendBody | UnsetType = UNSET


class RevokePayload(LinkIdsBody, frozen=True, kw_only=True):
    """Links to revoke, as `POST /v1/links/bulk-revoke` accepts them."""

    host_id: str


class RedeemPayload(RedeemBody, frozen=True, kw_only=True):
    """The body of a redeem, and the link: its id, or the `url` or `token` that the invitee has."""

    host_id: str
    link_id: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    token: str | UnsetType = UNSET

    def link(self) -> tuple[str, str]:
        """Return the name and value of the one field that gives the link. Raises `InvalidRequestError` otherwise."""
        given = [
            (n, v)
            for n, v in (("linkId", self.link_id), ("url", self.url), ("token", self.token))
            if v is not UNSET
        ]
        if len(given) != 1:
            raise InvalidRequestError(
                [FieldFault("/linkId", "exactly one of linkId, url and token is required")]
            )
        name, value = given[0]
        return name, str(value)

    def body(self) -> RedeemBody:
        """Return the payload without the link, as the HTTP API accepts it."""
        return msgspec.convert(self, RedeemBody, from_attributes=True)


class ReplacePayload(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True, frozen=True):
    """The link to replace."""

    host_id: str
    link_id: str


class GenerateEvent(GeneratePayload, frozen=True, kw_only=True):
    """The event of `generate_links`."""

    idempotency_key: Annotated[str, _KEY] | None = None
    correlation_id: Annotated[str, _CORRELATION] | None = None


class ListEvent(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True, frozen=True):
    """The event of `list_links`: the parameters of `GET /v1/links`."""

    host_id: str
    event_type_id: str | None = None
    status: LinkStatus | None = None
    q: str | None = None
    batch_id: str | None = None
    limit: int = DEFAULT_PAGE
    cursor: str | None = None
    correlation_id: Annotated[str, _CORRELATION] | None = None


class RedeemEvent(RedeemPayload, frozen=True, kw_only=True):
    """The event of `redeem_link`."""

    idempotency_key: Annotated[str, _KEY] | None = None
    correlation_id: Annotated[str, _CORRELATION] | None = None


class MakeAdminEvent(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True, frozen=True):
    """The event of `make_admin`: the name of the new key."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    correlation_id: Annotated[str, _CORRELATION] | None = None


class RevokeEvent(RevokePayload, frozen=True, kw_only=True):
    """The event of `revoke_links`."""

    correlation_id: Annotated[str, _CORRELATION] | None = None
