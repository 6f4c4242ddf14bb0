"""Each public id has exactly one spelling; any other string is rejected."""

import pytest
from hypothesis import given, strategies as st

from chalicelib.domain.ids import API_KEY, BOOKING, EVENT_TYPE, HOST, LINK, id_bytes, is_id, make_id

KINDS = [HOST, EVENT_TYPE, LINK, BOOKING, API_KEY]
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"

raws = st.binary(min_size=16, max_size=16)


@given(kind=st.sampled_from(KINDS), raw=raws)
def test_an_id_returns_its_bytes(kind: str, raw: bytes) -> None:
    """A token has 16 bytes, from which the stored id is computed."""
    made = make_id(kind, raw)
    assert len(made) == 30
    assert id_bytes(kind, made) == raw


def test_the_format_never_changes() -> None:
    """Ids are stored and logged."""
    assert make_id(LINK, bytes(range(16))) == "lnk_aaaqeayeaudaocajbifqydiob4"
    assert make_id(BOOKING, b"\xff" * 16) == "bkg_77777777777777777777777774"


@given(raw=raws, place=st.integers(0, 29), other=st.sampled_from(BASE32))
def test_every_character_matters(raw: bytes, place: int, other: str) -> None:
    """A changed character gives another id or none, never the same one."""
    made = make_id(LINK, raw)
    changed = made[:place] + other + made[place + 1 :]
    if changed != made:
        assert id_bytes(LINK, changed) != raw


@given(raw=raws)
def test_the_last_character_has_no_spare_bits(raw: bytes) -> None:
    """26 characters have 130 bits for an id's 128, so only the 8 last characters with two zero bits are valid."""
    made = make_id(LINK, raw)
    valid = [char for char in BASE32 if is_id(LINK, made[:-1] + char)]
    assert valid == list(BASE32[::4])
    assert made[-1] in valid


@given(raw=raws)
def test_an_id_is_valid_only_for_its_kind(raw: bytes) -> None:
    """For example, a booking id is never a link id."""
    for kind in KINDS:
        assert [other for other in KINDS if is_id(other, make_id(kind, raw))] == [kind]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "lnk",
        "lnk_",
        "lnk_aaaqeayeaudaocajbifqydiob4\n",
        " lnk_aaaqeayeaudaocajbifqydiob4",
        "lnk_aaaqeayeaudaocajbifqydiob4=",
        "lnk_AAAQEAYEAUDAOCAJBIFQYDIOB4",
        "LNK_aaaqeayeaudaocajbifqydiob4",
        "lnk-aaaqeayeaudaocajbifqydiob4",
        "lnk_aaaqeayeaudaocajbifqydiob",
        "lnk_aaaqeayeaudaocajbifqydiob4a",
        "lnk_0aaqeayeaudaocajbifqydiob4",
        "lnk_aaaqeayeaudaocajbifqydiob٤",
        "lnk_aaaqeayeaudaocajbifqydiob\ud800",
        "lnk_../../../../../../etc/pass",
    ],
)
def test_other_strings_are_not_ids(value: str) -> None:
    """Another case, padding, white space, length or alphabet isn't accepted."""
    assert id_bytes(LINK, value) is None


@given(st.text(max_size=40))
def test_random_text_is_handled(value: str) -> None:
    """Any text in a path is either a canonical id or none, without an exception."""
    assert id_bytes(LINK, value) is None or make_id(LINK, id_bytes(LINK, value) or b"") == value


@pytest.mark.parametrize("size", [0, 15, 17])
def test_an_id_is_made_from_sixteen_bytes(size: int) -> None:
    """P7: an id from fewer bytes could be guessed."""
    with pytest.raises(ValueError, match="16 bytes"):
        make_id(LINK, bytes(size))
