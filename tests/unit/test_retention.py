"""Retention settings are read from the environment, validated, and passed to the store (P2, P4)."""

from datetime import timedelta

import msgspec
import pytest

from chalicelib.bootstrap import _retention_of
from chalicelib.settings import RetentionDays, read_settings
from chalicelib.store.retention import Retention

BARE = {"TABLE_NAME": "t", "SIGNING_KEYS": "{}"}


def test_the_defaults_of_settings_and_store_are_equal() -> None:
    """A deployment without settings has the store's defaults."""
    assert read_settings(BARE).retention == RetentionDays()
    assert _retention_of(RetentionDays()) == Retention()


@pytest.mark.parametrize("kept", list(msgspec.structs.asdict(RetentionDays())))
def test_each_retention_can_be_set(kept: str) -> None:
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
        ("QUEUED", 28),
        ("DELIVERY", 4),
    ],
)
def test_too_few_days_are_a_setting_error(kept: str, least: int) -> None:
    """P2, P4: a day's cells must outlast the day, and receipts the retries; records of the past may end at once."""
    name = f"RETENTION_{kept}_DAYS"
    assert getattr(read_settings(BARE | {name: str(least)}).retention, kept.lower()) == least
    for text in (str(least - 1), "-1", "1.5", "forever", "36501", "٣", " 3"):
        with pytest.raises(RuntimeError, match=name):
            read_settings(BARE | {name: text})
