"""Tokens can't be guessed or forged, and a forged one is recognized without a read (P7)."""

import base64
import hmac
import string
from collections.abc import Callable

import pytest
from hypothesis import given, settings, strategies as st

from chalicelib.domain.errors import NotFoundError
from chalicelib.domain.ids import BOOKING, LINK, make_id
from chalicelib.domain.tokens import (
    TOKEN_LENGTH,
    Keyring,
    Purpose,
    TokenClaim,
    make_token,
    open_token,
    read_token,
    token_in,
)

OLD, NEW = b"o" * 32, b"n" * 32
RING = Keyring(current=2, keys={1: OLD, 2: NEW})
ID = bytes(range(16))
ALPHABET = string.ascii_letters + string.digits + "-_"

raw_ids = st.binary(min_size=16, max_size=16)
purposes = st.sampled_from(Purpose)


def flipped(raw: bytes, bit: int) -> bytes:
    return (int.from_bytes(raw) ^ (1 << bit)).to_bytes(len(raw))


@given(raw_id=raw_ids, purpose=purposes, key_id=st.sampled_from([None, 1, 2]))
def test_a_token_returns_its_claim(raw_id: bytes, purpose: Purpose, key_id: int | None) -> None:
    """P7: a genuine token has 36 URL-safe characters and returns the id it was made for."""
    token = make_token(RING, purpose, raw_id, key_id)
    assert len(token) == TOKEN_LENGTH == 36
    assert set(token) <= set(ALPHABET)
    assert read_token(RING, purpose, token) == TokenClaim(key_id or RING.current, purpose, raw_id)


def test_the_format_never_changes() -> None:
    """P7: links in mailboxes must work after any release; the expected token is computed independently."""
    body = b"\x01" + ID
    for purpose in ("link", "booking"):
        mac = hmac.digest(OLD, purpose.encode() + b"\x00" + body, "sha256")[:10]
        token = base64.urlsafe_b64encode(body + mac).decode()
        assert make_token(RING, Purpose(purpose), ID, 1) == token
        assert read_token(RING, Purpose(purpose), token) == TokenClaim(1, Purpose(purpose), ID)


def test_a_token_with_a_changed_character_is_forged() -> None:
    """P7: every other value of each of the 36 characters is rejected."""
    token = make_token(RING, Purpose.LINK, ID)
    for place in range(TOKEN_LENGTH):
        for char in ALPHABET + "+/=. \x00é":
            changed = token[:place] + char + token[place + 1 :]
            if changed != token:
                assert read_token(RING, Purpose.LINK, changed) is None, (place, char)


@given(raw_id=raw_ids, bits=st.sets(st.integers(0, 27 * 8 - 1), min_size=1, max_size=8))
def test_a_token_with_flipped_bits_is_forged(raw_id: bytes, bits: set[int]) -> None:
    """P7: no bit of the key id, the id or the tag can change."""
    raw = base64.urlsafe_b64decode(make_token(RING, Purpose.LINK, raw_id))
    for bit in bits:
        raw = flipped(raw, bit)
    assert read_token(RING, Purpose.LINK, base64.urlsafe_b64encode(raw).decode()) is None


@given(raw_id=raw_ids)
def test_a_token_is_valid_only_for_its_purpose(raw_id: bytes) -> None:
    """P7: a link's token isn't valid for a booking, even if both ids have the same 16 bytes."""
    assert read_token(RING, Purpose.BOOKING, make_token(RING, Purpose.LINK, raw_id)) is None
    assert read_token(RING, Purpose.LINK, make_token(RING, Purpose.BOOKING, raw_id)) is None


def test_tokens_of_a_retired_key_are_forged() -> None:
    """P7: once a key has left the keyring, it can neither verify nor make tokens."""
    token = make_token(RING, Purpose.LINK, ID, 1)
    without = Keyring(current=2, keys={2: NEW})
    assert read_token(without, Purpose.LINK, token) is None
    with pytest.raises(KeyError):
        make_token(without, Purpose.LINK, ID, 1)


def test_another_key_with_the_same_id_verifies_nothing() -> None:
    """P7: the key decides, not its id."""
    token = make_token(RING, Purpose.LINK, ID)
    assert read_token(Keyring(current=2, keys={2: OLD}), Purpose.LINK, token) is None


def test_a_token_with_an_unknown_key_id_is_forged_despite_a_valid_tag() -> None:
    """P7: for constant time, an unknown key id is checked with the current key, but it is always rejected."""
    body = b"\x07" + ID
    tag = hmac.digest(NEW, b"link\x00" + body, "sha256")[:10]
    assert read_token(RING, Purpose.LINK, base64.urlsafe_b64encode(body + tag).decode()) is None


def test_a_token_is_verified_with_the_key_it_names() -> None:
    """After a rotation tokens of both keys are valid, and new tokens have the new key's id."""
    assert read_token(RING, Purpose.LINK, make_token(RING, Purpose.LINK, ID, 1)) == TokenClaim(
        1, Purpose.LINK, ID
    )
    assert read_token(RING, Purpose.LINK, make_token(RING, Purpose.LINK, ID)) == TokenClaim(
        2, Purpose.LINK, ID
    )


VARIANTS: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "one short": lambda token: token[:-1],
    "one long": lambda token: token + "A",
    "four long": lambda token: token + "AAAA",
    "four short": lambda token: token[:-4],
    "padded": lambda token: token + "=",
    "padded within the length": lambda token: token[:-1] + "=",
    "padded twice within the length": lambda token: token[:-2] + "==",
    "a space before": lambda token: " " + token,
    "a line break after": lambda token: token + "\n",
    "a line break within the length": lambda token: token[:-1] + "\n",
    "percent-encoded": lambda token: "%" + format(ord(token[0]), "02x") + token[1:],
    "the standard alphabet": lambda token: token.replace("-", "+").replace("_", "/"),
    "only the plus": lambda token: token.replace("-", "+"),
    "only the slash": lambda token: token.replace("_", "/"),
    "upper case": str.upper,
    "lower case": str.lower,
    "a full-width letter": lambda token: chr(ord(token[0]) + 0xFEE0) + token[1:],
    "a surrogate": lambda token: "\ud800" + token[1:],
    "a digit of another script": lambda token: "٣" + token[1:],
    "reversed": lambda token: token[::-1],
}


@pytest.mark.parametrize("change", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_token_has_exactly_one_spelling(change: Callable[[str], str]) -> None:
    """P7: padding, white space, another alphabet or another case makes a token invalid."""
    token = next(
        token
        for number in range(1000)
        if {"-", "_"} <= set(token := make_token(RING, Purpose.LINK, number.to_bytes(16)))
    )
    assert change(token) != token
    assert read_token(RING, Purpose.LINK, change(token)) is None


@settings(max_examples=300)
@given(purpose=purposes, text=st.text(max_size=40) | st.text(ALPHABET, min_size=36, max_size=36))
def test_random_strings_are_never_valid(purpose: Purpose, text: str) -> None:
    """P7: any text after `/s/` is rejected without an exception."""
    assert read_token(RING, purpose, text) is None


@settings(max_examples=300)
@given(key_id=st.integers(0, 255), raw_id=raw_ids, tag=st.binary(min_size=10, max_size=10))
def test_well_formed_guesses_are_never_valid(key_id: int, raw_id: bytes, tag: bytes) -> None:
    """P7: the format, a public id and the key's id aren't enough to make a token."""
    guess = base64.urlsafe_b64encode(bytes([key_id]) + raw_id + tag).decode()
    assert read_token(RING, Purpose.LINK, guess) is None


class SpyOnCompare:
    """Replaces `hmac.compare_digest`: records each call and returns a fixed result."""

    def __init__(self, *, answer: bool) -> None:
        self.calls: list[tuple[bytes, bytes]] = []
        self._answer = answer

    def __call__(self, first: bytes, second: bytes) -> bool:
        self.calls.append((first, second))
        return self._answer


@pytest.mark.parametrize(
    "key_id", [1, 2, 7, 255], ids=["old key", "current key", "unknown key", "unknown 255"]
)
def test_tags_are_compared_in_constant_time(key_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """P7: one `hmac.compare_digest` of whole tags decides, for unknown key ids too."""
    spy = SpyOnCompare(answer=True)
    monkeypatch.setattr(hmac, "compare_digest", spy)
    forged = base64.urlsafe_b64encode(bytes([key_id]) + ID + b"\x00" * 10).decode()

    claim = read_token(RING, Purpose.LINK, forged)

    assert [(len(first), len(second)) for first, second in spy.calls] == [(10, 10)]
    # With a matching tag, the token of a known key is valid and that of an unknown key is not.
    assert claim == (TokenClaim(key_id, Purpose.LINK, ID) if key_id in RING.keys else None)


def test_a_token_is_rejected_if_the_comparison_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """P7: a genuine token is rejected too if `compare_digest` returns False."""
    token = make_token(RING, Purpose.LINK, ID)
    monkeypatch.setattr(hmac, "compare_digest", SpyOnCompare(answer=False))
    assert read_token(RING, Purpose.LINK, token) is None


def test_the_repr_of_a_keyring_hides_its_keys() -> None:
    """P7: a logged keyring reveals no key."""
    assert "nnnn" not in repr(RING)
    assert "oooo" not in repr(RING)


@pytest.mark.parametrize(
    ("current", "keys"),
    [(1, {}), (2, {1: OLD}), (0, {0: OLD}), (256, {256: OLD}), (1, {1: b"k" * 31}), (1, {1: OLD, 2: b""})],
)
def test_a_keyring_rejects_weak_or_missing_keys(current: int, keys: dict[int, bytes]) -> None:
    """P7: a keyring without its current key, or with a short key, fails when the app starts."""
    with pytest.raises(ValueError, match="key"):
        Keyring(current=current, keys=keys)


@given(raw_id=raw_ids)
def test_an_opened_token_returns_the_id_of_its_kind(raw_id: bytes) -> None:
    """A link's token returns a link id, and a booking's token a booking id."""
    for purpose, kind in ((Purpose.LINK, LINK), (Purpose.BOOKING, BOOKING)):
        claim = open_token(RING, purpose, make_token(RING, purpose, raw_id))
        assert (claim.key_id, claim.item_id) == (RING.current, make_id(kind, raw_id))


@pytest.mark.parametrize("forged", ["", "x" * TOKEN_LENGTH, make_token(RING, Purpose.BOOKING, ID)])
def test_a_forged_token_is_not_found(forged: str) -> None:
    """P7: the error is the same as for something that doesn't exist."""
    with pytest.raises(NotFoundError):
        open_token(RING, Purpose.LINK, forged)


@pytest.mark.parametrize(
    "text",
    ["{}", "/s/{}", "https://book.example.com/s/{}", "https://x.example/prod/s/{}/", "s/{}?lang=de&a=/b/c"],
)
def test_the_token_in_a_pasted_url_is_found(text: str) -> None:
    """Hosts paste URLs with a stage, a trailing slash or a query, or a bare token."""
    token = make_token(RING, Purpose.LINK, ID)
    assert token_in(text.format(token)) == token
