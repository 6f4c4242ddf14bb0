"""A hundred thousand forged tokens cause no read, and a stolen table opens no link (P7)."""

import base64
import hmac
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from chalicelib.domain.bookings.booking import Invitee
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import NotFoundError
from chalicelib.domain.tokens import Keyring, Purpose, make_token, read_token
from chalicelib.service.bookings.find import own_booking
from chalicelib.service.bookings.redeem import RedeemRequest, redeem
from chalicelib.service.links.open import open_link
from chalicelib.service.links.request_link import request_link
from chalicelib.service.ports import World
from infra.local.engines.dynoxide import Dynoxide
from tests.support.app import JSON, Site, at, created, path_of, running_site
from tests.support.aws.engines import new_table

GUESSES: Final = 100_000
_PIECE: Final = re.compile(r"[A-Za-z0-9_-]{8,200}")
CAUSE: Final = Cause("invitee", "guess")
NOW: Final = datetime(2040, 1, 2, tzinfo=UTC)
BODY: Final = RedeemRequest(
    start=NOW,
    time_zone="UTC",
    invitee=Invitee("Eve", "eve@example.com"),
    answers={},
    location_index=None,
    idempotency_key=None,
    body_hash="",
)


class _Untouchable:
    """A store that fails on any call."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the store was asked for its {name}")


def test_a_hundred_thousand_forged_tokens_cause_no_read() -> None:
    """P7: every endpoint answers a forged token with the same error, without reading the store."""
    draw = random.Random(20401)
    ring = Keyring(7, {7: draw.randbytes(32), 9: draw.randbytes(32)})
    world = World(
        store=_Untouchable(),
        now=lambda: NOW,
        random_bytes=draw.randbytes,
        sleep=lambda _: None,
        keyring=lambda: ring,
    )
    endpoints: list[Callable[[str], object]] = [
        lambda token: open_link(world, token),
        lambda token: redeem(world, token, BODY, CAUSE),
        lambda token: own_booking(world, token)(),
        lambda token: request_link(world, token, "Eve", "eve@example.com", "", CAUSE),
    ]
    genuine = make_token(ring, Purpose.LINK, bytes(16))
    for number in range(GUESSES):
        raw = bytearray(base64.urlsafe_b64decode(genuine))
        match number % 4:
            case 0:
                raw[1:] = draw.randbytes(26)
            case 1:
                raw[17:] = draw.randbytes(10)
            case 2:
                raw[draw.randrange(1, 17)] ^= 1 << draw.randrange(8)
            case 3:
                raw[0] = draw.choice([0, 1, 8, 9, 255])
        with pytest.raises(NotFoundError):
            endpoints[number // 4 % 4](base64.urlsafe_b64encode(raw).decode())


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """P7: a better guess is not answered sooner or later, and an unknown key costs the same work as a known one."""
    compared: list[tuple[bytes, bytes]] = []
    genuinely = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return genuinely(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    ring = Keyring(7, {7: bytes(32)})
    genuine = make_token(ring, Purpose.LINK, bytes(16))
    unknown_key = base64.urlsafe_b64encode(bytes([8]) + bytes(26)).decode()
    for token in (genuine, genuine[:-1] + ("A" if genuine[-1] != "A" else "B"), unknown_key):
        read_token(ring, Purpose.LINK, token)
    assert len(compared) == 3
    assert all(len(one) == len(other) == 10 for one, other in compared)


def test_a_stolen_table_contains_no_token_url_or_key(dynoxide: Dynoxide) -> None:
    """P7: no text in any item, and no part of one, is a token, a booking's URL or a key."""
    with running_site(new_table(dynoxide.endpoint_url)) as site:
        host = site.host()
        links = host.links(host.event_type(), count=3, label="stolen", externalId="crm-1")
        booking = created(site.redeem(links[0], at(days=1), key="a-key"))
        found = {piece for item in site.items() for text in _texts(item) for piece in _pieces(text)}
        assert len(found) > 40

        for piece in found:
            _opens_nothing(site, piece)

        assert site.visit(links[1], headers=JSON).status_code == 200
        assert site.client.get(path_of({"url": links[2]["url"]}), headers=JSON).status_code == 200
        own = "/b/" + booking["url"].rpartition("/")[2]
        assert site.client.get(own, headers=JSON).status_code == 200


def _opens_nothing(site: Site, piece: str) -> None:
    for path in (f"/s/{piece}", f"/b/{piece}"):
        assert site.client.get(path, headers=JSON).status_code == 404, piece
    answer = site.client.get("/v1/links", headers={"Authorization": f"Bearer {piece}"})
    assert answer.status_code == 401, piece


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    return [text for one in value for text in _texts(one)] if isinstance(value, list) else []


def _pieces(text: str) -> set[str]:
    return {piece for piece in (text, *re.split(r"[^A-Za-z0-9_-]+", text)) if _PIECE.fullmatch(piece)}
