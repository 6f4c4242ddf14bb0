"""What other AWS services send with a verb: the HTTP bodies, and the host that the verb acts for."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.domain.errors import FieldFault, InvalidRequestError
from chalicelib.domain.links.link import LinkStatus
from chalicelib.domain.listings import DEFAULT_PAGE
from chalicelib.wire.requests import LinkIdsBody, LinksBody, RedeemBody, SendBody

_KEY: Final = msgspec.Meta(pattern=r"^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?\Z")
_CORRELATION: Final = msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,100}\Z")


class GeneratePayload(LinksBody, frozen=True, kw_only=True):
    """Links to make, as `POST /v1/links` takes them; with `send`, each is mailed to its recipient."""

    host_id: str
    send: SendBody | UnsetType = UNSET


class RevokePayload(LinkIdsBody, frozen=True, kw_only=True):
    """Links to revoke, as `POST /v1/links/bulk-revoke` takes them."""

    host_id: str


class RedeemPayload(RedeemBody, frozen=True, kw_only=True):
    """What an invitee would send, and the link: by its id, or by the `url` or `token` that the invitee holds."""

    host_id: str
    link_id: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    token: str | UnsetType = UNSET

    def link(self) -> tuple[str, str]:
        """Return which of the three is given, and it. Raises `InvalidRequestError` unless it is just one."""
        given = [
            (n, v)
            for n, v in (("linkId", self.link_id), ("url", self.url), ("token", self.token))
            if v is not UNSET
        ]
        if len(given) != 1:
            raise InvalidRequestError([FieldFault("/linkId", "one of linkId, url and token is needed")])
        name, value = given[0]
        return name, str(value)

    def body(self) -> RedeemBody:
        """Return what is sent, without the link."""
        return msgspec.convert(self, RedeemBody, from_attributes=True)


class ReplacePayload(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True, frozen=True):
    """The link to replace."""

    host_id: str
    link_id: str


class GenerateEvent(GeneratePayload, frozen=True, kw_only=True):
    """What `generate_links` is called with."""

    idempotency_key: Annotated[str, _KEY] | None = None
    correlation_id: Annotated[str, _CORRELATION] | None = None


class ListEvent(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True, frozen=True):
    """What `list_links` is called with: the parameters of `GET /v1/links`."""

    host_id: str
    event_type_id: str | None = None
    status: LinkStatus | None = None
    q: str | None = None
    batch_id: str | None = None
    limit: int = DEFAULT_PAGE
    cursor: str | None = None
    correlation_id: Annotated[str, _CORRELATION] | None = None


class RedeemEvent(RedeemPayload, frozen=True, kw_only=True):
    """What `redeem_link` is called with."""

    idempotency_key: Annotated[str, _KEY] | None = None
    correlation_id: Annotated[str, _CORRELATION] | None = None


class RevokeEvent(RevokePayload, frozen=True, kw_only=True):
    """What `revoke_links` is called with."""

    correlation_id: Annotated[str, _CORRELATION] | None = None
