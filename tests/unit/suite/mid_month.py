"""A test that passes only in the middle of a month; pytest does not collect it, `test_dates.py` runs it."""

from datetime import UTC, datetime, timedelta

from tests.support.browser.invitee import following

PAGE: timedelta = timedelta(days=35)


def test_the_page_has_only_part_of_the_next_month() -> None:
    today = datetime.now(UTC).date()
    assert today + PAGE < following(following(today.replace(day=1)))
