"""Retention settings: read from the environment, checked there, and passed to the store."""

from datetime import timedelta

import msgspec
import pytest

from chalicelib.bootstrap import _retention_of
from chalicelib.settings import RetentionDays, read_settings
from chalicelib.store.retention import Retention

BARE = {"TABLE_NAME": "t", "SIGNING_KEYS": "{}"}


def test_what_is_not_set_is_as_it_was() -> None:
    """The two sets of defaults, of the settings and of the store, are the same."""
    assert read_settings(BARE).retention == RetentionDays()
    assert _retention_of(RetentionDays()) == Retention()


@pytest.mark.parametrize("kept", list(msgspec.structs.asdict(RetentionDays())))
def test_each_can_be_set(kept: str) -> None:
    settings = read_settings(BARE | {f"RETENTION_{kept.upper()}_DAYS": "90"})
    assert _retention_of(settings.retention) == Retention(**{kept: timedelta(days=90)})


@pytest.mark.parametrize(
    ("kept", "least"),
    [
        ("LINK", 0),
        ("BOOKING", 0),
        ("HISTORY", 0),
        ("DAY", 1),
        ("RECEIPT", 1),
        ("REQUEST", 1),
        ("QUEUED", 18),
        ("DELIVERY", 4),
    ],
)
def test_too_few_days_are_refused_by_name(kept: str, least: int) -> None:
    """P2, P4: a day's cells outlast the day, a receipt the retries; what only tells of the past may go at once."""
    name = f"RETENTION_{kept}_DAYS"
    assert getattr(read_settings(BARE | {name: str(least)}).retention, kept.lower()) == least
    for text in (str(least - 1), "-1", "1.5", "forever", "36501", "٣", " 3"):
        with pytest.raises(RuntimeError, match=name):
            read_settings(BARE | {name: text})
