"""The email with a host's updates beyond the day's budget (P15)."""

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.text import name_for_mail, one_line
from chalicelib.pages import times
from chalicelib.pages.languages import Words, words
from chalicelib.pages.mail.body import Attached, Body, Correspondents, MailRoute, Row, written
from chalicelib.pages.mail.calendars import calendar_of_all, hosts_title
from chalicelib.pages.mail.mails import HOST_LANGUAGE, PRODUCT, hello, moment
from chalicelib.service.mail.send_digest import DigestNews


def digest_mail(news: DigestNews, route: MailRoute, console: str) -> bytes:
    """Return a digest: each booking once in its current state, and a calendar file; `console` is the console's URL."""
    say, host = words(HOST_LANGUAGE), news.host
    day = times.day_words(news.digest.digest_id.day, say)
    body = Body(
        before=[hello(one_line(host.settings.name), say), say("mails.digest", day=day)],
        rows=[_row(booking, host.settings.time_zone, say) for booking in news.bookings],
        button=Row(say("mails.host.manage"), say("mails.host.manage"), console),
        after=[
            *([say("mails.digest.more")] if news.more else []),
            *([say("mails.digest.calendar")] if news.bookings else []),
        ],
        footer=say("mails.footer-nobody"),
    )
    entries = [(booking, _title(booking, say), "") for booking in news.bookings]
    attached = Attached(calendar=calendar_of_all(entries, now=route.now, say=say)) if news.bookings else None
    who = Correspondents(PRODUCT, host.settings.name, None)
    subject = say("mails.digest.subject", day=day)
    return written(subject, body, news.draft.mail_id, route, say, who, attached)


def _row(booking: Booking, zone: str, say: Words) -> Row:
    cancelled = booking.status is BookingStatus.CANCELLED
    label = say("mails.digest.cancelled" if cancelled else "mails.digest.confirmed")
    return Row(f"{label}, {moment(booking, zone, say)}", _title(booking, say), typed=True)


def _title(booking: Booking, say: Words) -> str:
    return hosts_title(booking, name_for_mail(booking.invitee.name) if booking.invitee else "", say)
