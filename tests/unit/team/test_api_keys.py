"""P7, P9: keys have one form, only their digest is stored, and a host's key sees only that host."""

import hashlib

import msgspec
import pytest
from hypothesis import given, strategies as st

from chalicelib.domain.errors import ForbiddenError, NotFoundError
from chalicelib.domain.team.api_keys import ApiKey, Caller, Role, digest, is_secret, make_secret

ADMIN = Caller("key_a", Role.ADMIN, None)
ADMIN_WHO_HOSTS = Caller("key_b", Role.ADMIN, "hst_ada")
ADA = Caller("key_c", Role.HOST, "hst_ada")
NOBODY = Caller("key_d", Role.HOST, None)


@given(raw=st.binary(min_size=32, max_size=32), other=st.binary(min_size=32, max_size=32))
def test_a_key_carries_all_of_its_randomness(raw: bytes, other: bytes) -> None:
    """P7: 256 bits go in, and two keys or digests are the same only when the bytes are."""
    assert is_secret(make_secret(raw))
    assert (make_secret(raw) == make_secret(other)) == (raw == other)
    assert (digest(make_secret(raw)) == digest(make_secret(other))) == (raw == other)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_takes_32_bytes(size: int) -> None:
    """P7: fewer would be guessable."""
    with pytest.raises(ValueError, match="32 bytes"):
        make_secret(bytes(size))


def test_the_digest_is_sha_256_of_the_whole_key() -> None:
    """Stored, so it may never change; it is not the key."""
    secret = make_secret(bytes(range(32)))
    assert secret == "ao_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert digest(secret) == hashlib.sha256(secret.encode()).hexdigest()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ao_",
        "ao_" + "A" * 42,
        "ao_" + "A" * 44,
        "AO_" + "A" * 43,
        "sk_" + "A" * 43,
        "ao_" + "A" * 42 + "=",
        "ao_" + "A" * 42 + "+",
        "ao_" + "A" * 42 + "é",
        "ao_" + "A" * 43 + "\n",
        " ao_" + "A" * 43,
        "ao_" + "A" * 42 + "\ud800",
    ],
)
def test_other_strings_cost_no_read(value: str) -> None:
    """P7: what is not of the form is refused before the table is asked."""
    assert not is_secret(value)


def test_no_key_as_stored_holds_the_key() -> None:
    """P7: a dump of the table opens nothing: there is no field for the secret."""
    assert set(ApiKey.__struct_fields__) == {"key_id", "role", "host_id", "name", "created_at", "revoked_at"}


class Thing(msgspec.Struct):
    """Anything that belongs to a host."""

    host_id: str


@pytest.mark.parametrize(
    ("caller", "sees"),
    [
        (ADMIN, {"hst_ada", "hst_bob"}),
        (ADMIN_WHO_HOSTS, {"hst_ada", "hst_bob"}),
        (ADA, {"hst_ada"}),
        (NOBODY, set()),
    ],
)
def test_who_sees_whom(caller: Caller, sees: set[str]) -> None:
    """P9: a host sees only their own, an admin the team's, and a key without a host nothing."""
    assert {host for host in ("hst_ada", "hst_bob") if caller.may_see(host)} == sees


def test_what_is_missing_and_what_is_anothers_look_alike() -> None:
    """P9: both raise the same error, so a caller learns nothing about others' ids."""
    adas = Thing("hst_ada")
    assert ADA.require_visible(adas) is adas
    for caller, found in ((ADA, None), (NOBODY, adas), (ADMIN, None)):
        with pytest.raises(NotFoundError):
            caller.require_visible(found)


def test_only_an_admin_is_an_admin() -> None:
    """P9: what needs an admin key is refused to a host's."""
    ADMIN.require_admin()
    ADMIN_WHO_HOSTS.require_admin()
    for caller in (ADA, NOBODY):
        assert not caller.is_admin
        with pytest.raises(ForbiddenError):
            caller.require_admin()
