"""API keys have one format, only their digest is stored, and a host key sees only its host (P7, P9)."""

import hashlib

import msgspec
import pytest
from hypothesis import given, strategies as st

from chalicelib.domain.errors import ForbiddenError, NotFoundError
from chalicelib.domain.team.api_keys import ApiKey, Caller, Role, digest, is_secret, make_secret

ADMIN = Caller("key_a", Role.ADMIN, None)
ADMIN_WHO_HOSTS = Caller("key_b", Role.ADMIN, "hst_ada")
ADA = Caller("key_c", Role.HOST, "hst_ada")
WITHOUT_HOST = Caller("key_d", Role.HOST, None)


@given(raw=st.binary(min_size=32, max_size=32), other=st.binary(min_size=32, max_size=32))
def test_different_bytes_give_different_keys_and_digests(raw: bytes, other: bytes) -> None:
    """P7: a key has all 256 bits of its randomness."""
    assert is_secret(make_secret(raw))
    assert (make_secret(raw) == make_secret(other)) == (raw == other)
    assert (digest(make_secret(raw)) == digest(make_secret(other))) == (raw == other)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_is_made_from_32_bytes(size: int) -> None:
    """P7: a key from fewer bytes could be guessed."""
    with pytest.raises(ValueError, match="32 bytes"):
        make_secret(bytes(size))


def test_the_digest_is_sha_256_of_the_whole_key() -> None:
    """It is stored, so it must never change."""
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
def test_strings_in_another_format_are_not_keys(value: str) -> None:
    """P7: they are rejected without a read of the table."""
    assert not is_secret(value)


def test_a_stored_key_has_no_field_for_the_secret() -> None:
    """P7: a dump of the table gives no access."""
    assert set(ApiKey.__struct_fields__) == {"key_id", "role", "host_id", "name", "created_at", "revoked_at"}


class Thing(msgspec.Struct):
    """A thing that belongs to a host."""

    host_id: str


@pytest.mark.parametrize(
    ("caller", "sees"),
    [
        (ADMIN, {"hst_ada", "hst_bob"}),
        (ADMIN_WHO_HOSTS, {"hst_ada", "hst_bob"}),
        (ADA, {"hst_ada"}),
        (WITHOUT_HOST, set()),
    ],
)
def test_a_caller_sees_its_own_host_and_an_admin_sees_all(caller: Caller, sees: set[str]) -> None:
    """P9: a host key without a host sees nothing."""
    assert {host for host in ("hst_ada", "hst_bob") if caller.may_see(host)} == sees


def test_missing_and_other_hosts_things_raise_the_same_error() -> None:
    """P9: a caller learns nothing about other hosts' ids."""
    adas = Thing("hst_ada")
    assert ADA.require_visible(adas) is adas
    for caller, found in ((ADA, None), (WITHOUT_HOST, adas), (ADMIN, None)):
        with pytest.raises(NotFoundError):
            caller.require_visible(found)


def test_a_host_key_cannot_do_what_needs_an_admin() -> None:
    """P9: `require_admin` rejects every host key."""
    ADMIN.require_admin()
    ADMIN_WHO_HOSTS.require_admin()
    for caller in (ADA, WITHOUT_HOST):
        assert not caller.is_admin
        with pytest.raises(ForbiddenError):
            caller.require_admin()
