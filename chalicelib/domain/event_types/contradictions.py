"""Find contradictions: settings that are valid one by one, but together prevent every booking.

A warning is returned only if it is certain that nobody can book during the link's whole life, or when it opens.
Existing bookings are ignored, because they may be cancelled.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from chalicelib.domain.event_types.event_type import EventSettings
from chalicelib.domain.event_types.offers import Overrides, offer_of
from chalicelib.domain.event_types.schedules import DAYS, Interval, wall_minutes
from chalicelib.domain.event_types.slots import offered_slots
from chalicelib.domain.links.link import Link, LinkSettings, LinkStatus
from chalicelib.domain.team.hosts import TimeOff
from chalicelib.domain.zones import load_zone

MAX_WARNINGS: Final = 20  # per request; each needs a search of the whole booking window
MAX_SEARCHES: Final = 50  # per request; links with the same settings share one
_DAY_MINUTES: Final = 1440
_WEEK: Final = 7
_FAR: Final = timedelta(days=3650)  # links that open later are not checked


class SettingsWarning(msgspec.Struct, frozen=True):
    """A setting that the host should change: its JSON Pointer into the request, and what to do."""

    pointer: str
    detail: str


class _Contradiction(msgspec.Struct, frozen=True):
    """A contradiction. A change of one of `fields` can resolve it; the most likely field is first."""

    fields: tuple[str, ...]
    detail: str


def warnings_of_event_type(
    settings: EventSettings, *, now: datetime, time_off: Sequence[TimeOff]
) -> list[SettingsWarning]:
    """Return why nobody can book an event type, or an empty list. `time_off` is the host's time off."""
    found = _contradiction(settings, now)
    if found is None and time_off and not _bookable(settings, now, time_off=time_off):
        found = _Contradiction(
            ("booking_window_days",),
            "Nobody can book now: the host's time off covers all hours of the booking window "
            f"({_days(settings)}). Shorten the time off or lengthen the booking window.",
        )
    return [SettingsWarning(f"/{_camel(found.fields[0])}", found.detail)] if found else []


def warnings_of_links(
    settings: EventSettings, links: Sequence[Link | None], *, now: datetime, by_item: bool = False
) -> list[SettingsWarning]:
    """Return why nobody can book with links of one event type that were just created or changed.

    Links that are not active, and None for a deleted link, are not checked. With `by_item`, pointers begin with
    `/items`. `warnings_of_link_settings` describes the pointers and the limits.
    """
    active = [link if link and link.status_at(now) is LinkStatus.ACTIVE else None for link in links]
    each = [link.settings if link else None for link in active]
    return warnings_of_link_settings(settings, each, now=now, under="/items" if by_item else None)


def warnings_of_link_settings(
    settings: EventSettings, links: Sequence[LinkSettings | None], *, now: datetime, under: str | None
) -> list[SettingsWarning]:
    """Return why nobody could book with links of one event type that have these settings. None is skipped.

    A warning points to the link's setting, below the pointer `under` if given, or to `/eventTypeId` if the event type's
    settings are the cause. Only the first 20 warnings are returned, and only the first 50 different settings are
    checked.
    """
    found: dict[SettingsWarning, None] = {}
    seen: dict[bytes, _Contradiction | None] = {}
    for index, own in enumerate(links):
        if own is None:
            continue
        key = msgspec.json.encode((own.overrides, own.not_before, own.expires_at))
        if key not in seen:
            if len(seen) == MAX_SEARCHES:
                break
            seen[key] = _contradiction_of_link(settings, own, now)
        if contradiction := seen[key]:
            place = _place(contradiction, own.overrides)
            prefix = f"{under}/{index}" if under and place != "/eventTypeId" else ""
            found[SettingsWarning(prefix + place, contradiction.detail)] = None
            if len(found) == MAX_WARNINGS:
                break
    return list(found)


def longest_hours(offer: EventSettings) -> int:
    """Return the minutes of the schedule's longest open period. Hours that touch are one period."""
    schedule = offer.schedule
    weekly = [
        [Interval(hours.start, hours.end) for hours in schedule.weekly if day in hours.days] for day in DAYS
    ]
    return max(map(_longest, [*weekly, *(each.intervals for each in schedule.overrides)]))


def _contradiction_of_link(
    settings: EventSettings, own: LinkSettings, now: datetime
) -> _Contradiction | None:
    offer = offer_of(settings, own.overrides)
    opens = max(now, own.not_before or now)
    if opens - now > _FAR:
        return None
    found = _contradiction(offer, opens)
    if found and opens > now and _contradiction(offer, now) is None:
        return _Contradiction(
            ("not_before",),
            "Nobody can book when the link opens: the schedule has no hours from then to the end of the "
            f"booking window ({_days(offer)}). Set an earlier notBefore.",
        )
    if found is None and own.expires_at and not _bookable(offer, opens, until=own.expires_at):
        return _Contradiction(
            ("expires_at",),
            "Nobody can ever book: the link expires before any hours of the schedule are within the booking window "
            f"({_days(offer)}). Set a later expiresAt.",
        )
    return found


def _contradiction(offer: EventSettings, opens: datetime) -> _Contradiction | None:
    """Return the most obvious reason why nobody can book from `opens` on, or None."""
    if offer.minimum_notice_minutes >= (offer.booking_window_days + 1) * _DAY_MINUTES:
        return _Contradiction(
            ("minimum_notice_minutes",),
            f"Nobody can ever book: the minimum notice ({offer.minimum_notice_minutes // _DAY_MINUTES} days) is "
            f"longer than the booking window ({_days(offer)}). Shorten the notice or lengthen the booking window.",
        )
    longest = longest_hours(offer)
    if longest == 0:
        detail = "Nobody can ever book: the schedule has no hours. Add weekly hours, or hours on a date."
        return _Contradiction(("schedule",), detail)
    if longest < offer.duration_minutes:
        return _Contradiction(
            ("duration_minutes", "schedule"),
            f"Nobody can ever book: the duration is {offer.duration_minutes} minutes, and the longest hours of the "
            f"schedule are {longest} minutes. Shorten the duration or lengthen the hours.",
        )
    if not _bookable(offer, opens):
        return _Contradiction(
            ("schedule", "duration_minutes", "minimum_notice_minutes"),
            "Nobody can book now: the schedule has no hours of sufficient length between the minimum notice and the "
            f"end of the booking window ({_days(offer)}). Add hours, or change the notice or the booking window.",
        )
    return None


def _bookable(
    offer: EventSettings,
    opens: datetime,
    *,
    until: datetime | None = None,
    time_off: Sequence[TimeOff] = (),
) -> bool:
    """Return whether any start can be booked at some moment from `opens` to `until`.

    Without `until`, search at least a week after the notice, because hours repeat every week: Mondays with a booking
    window of one day are no contradiction on a Wednesday.
    """
    window = offer.booking_window_days
    if until is None:
        days = max(window, offer.minimum_notice_minutes // _DAY_MINUTES + 1 + _WEEK)
    else:
        zone = load_zone(offer.schedule.time_zone)
        last = min(until, opens + _FAR).astimezone(zone).date()
        days = window + (last - opens.astimezone(zone).date()).days
    reach = msgspec.structs.replace(offer, booking_window_days=days)
    end = opens + timedelta(days=days + 2)
    return bool(offered_slots(reach, start=opens, end=end, now=opens, time_off=time_off, most=1))


def _longest(intervals: Sequence[Interval]) -> int:
    longest, begin, until = 0, 0, -1
    for start, end in sorted((wall_minutes(each.start), wall_minutes(each.end)) for each in intervals):
        begin, until = (begin, max(until, end)) if start <= until else (start, end)
        longest = max(longest, until - begin)
    return longest


def _place(contradiction: _Contradiction, overrides: Overrides) -> str:
    """Return the pointer, within a link, to the setting that can resolve the contradiction."""
    for field in contradiction.fields:
        if field in LinkSettings.__struct_fields__:
            return f"/{_camel(field)}"
        if getattr(overrides, field) is not None:
            return f"/overrides/{_camel(field)}"
    return "/eventTypeId"


def _days(offer: EventSettings) -> str:
    days = offer.booking_window_days
    return "1 day" if days == 1 else f"{days} days"


def _camel(field: str) -> str:
    first, *more = field.split("_")
    return first + "".join(word.capitalize() for word in more)
