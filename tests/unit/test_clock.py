"""Instants: the same moment gives the same number and text, whatever its UTC offset (P3)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from chalicelib.domain.clock import as_instant, from_millis, rfc3339, to_millis

pytestmark = pytest.mark.clock

pasts = st.timedeltas(timedelta(days=-735_000), timedelta(days=2_900_000))
aware = st.builds(
    lambda past, zone: (datetime(2026, 1, 1, tzinfo=UTC) + past).astimezone(zone),
    pasts,
    st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-9, minutes=-30))]),
)


@given(aware)
def test_an_instant_is_the_moment_truncated_to_the_millisecond(value: datetime) -> None:
    """P3: the same millisecond is stored, compared and shown, and it is never later than the moment."""
    cut = as_instant(value)
    assert cut.tzinfo is UTC
    assert timedelta() <= value - cut < timedelta(milliseconds=1)
    assert from_millis(to_millis(value)) == cut


@given(aware)
def test_rfc3339_reads_back_as_the_instant(value: datetime) -> None:
    """Responses have the stored time in UTC without loss."""
    text = rfc3339(as_instant(value))
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == as_instant(value)


def test_rfc3339_examples() -> None:
    """Milliseconds are written only if there are any; other offsets are converted to UTC."""
    at = datetime(2026, 11, 21, 9, tzinfo=UTC)
    assert rfc3339(at) == "2026-11-21T09:00:00Z"
    assert rfc3339(at + timedelta(milliseconds=7)) == "2026-11-21T09:00:00.007Z"
    assert rfc3339(at.astimezone(timezone(timedelta(hours=-3)))) == "2026-11-21T09:00:00Z"


def test_times_before_1970_round_down() -> None:
    """Rounding has the same direction before and after the epoch."""
    assert to_millis(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_moments_outside_the_calendar_raise_overflow_error(value: str) -> None:
    """The API maps this error to 422."""
    with pytest.raises(OverflowError):
        as_instant(datetime.fromisoformat(value))
