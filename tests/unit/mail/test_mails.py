"""Emails: independent parsers read them in every language, and typed text can't forge anything (P7, P15)."""

import re
import textwrap
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from html.parser import HTMLParser
from typing import Any, Final, get_args

import msgspec
import pytest
from hypothesis import given, strategies as st
from ical.calendar import Calendar
from ical.calendar_stream import IcsCalendarStream
from ical.event import Event

from chalicelib.domain.bookings.booking import Booking, BookingStatus, Invitee
from chalicelib.domain.event_types.event_type import EventSettings, Location
from chalicelib.domain.event_types.schedules import Schedule
from chalicelib.domain.links.link import Link, LinkSettings, Recipient
from chalicelib.domain.mail.digests import Digest, DigestId
from chalicelib.domain.mail.mails import Addressee, LinkMail, MailId, MailRefusedError, delivery_address
from chalicelib.domain.team.hosts import Host, HostSettings
from chalicelib.domain.text import name_for_mail, one_line
from chalicelib.pages.languages import LANGUAGES, Language, words
from chalicelib.pages.mail.body import MailRoute
from chalicelib.pages.mail.digest import digest_mail
from chalicelib.pages.mail.mails import booking_mail, link_mail
from chalicelib.pages.mail.mime import Heading, Mail, Mailbox, mail_bytes
from chalicelib.service.mail.can_email import is_deliverable
from chalicelib.service.mail.mails_of_event import BookingNews, LinkNews, News
from chalicelib.service.mail.send import Draft
from chalicelib.service.mail.send_digest import DigestNews

NOW: Final = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
START: Final = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
PAGE: Final = "https://admit.example/b/AQtoken-_0"
URL: Final = "https://admit.example/s/AQtoken-_1"
CONSOLE: Final = "https://admit.example/console#bookings"
SENDER: Final = "bookings@admit.example"
INJECTION: Final = "Mia\r\nBcc: evil@example.org\r\n\r\n<script>alert(1)</script>"
HARD: Final = [
    INJECTION,
    'O\'Neil, Mia "MJ" <mia@x.example>; \\',
    "Jürgen Müller-Lüdenscheidt",
    "山田 太郎",
    "👩‍👩‍👧 family",
    "=?utf-8?q?Bcc=3A_evil?=",
    "x" * 200,
    "é" * 200,
    "a\u202eb\u2028c\x85d\te",
    "{title} {0.__class__} %s",
]


def a_host(**changes: Any) -> Host:
    fields = {"name": "Mia Moreau", "email": "mia@team.example", "time_zone": "Europe/Berlin"} | changes
    return Host(host_id="hst_abc", settings=HostSettings(**fields), created_at=NOW)


def a_booking(**changes: Any) -> Booking:
    booking = Booking(
        booking_id="bkg_abc",
        link_id="lnk_abc",
        host_id="hst_abc",
        event_type_id="ety_abc",
        key_id=1,
        title="Product walk-through",
        start=START,
        end=START + timedelta(minutes=45),
        occupied_from=START,
        occupied_to=START + timedelta(minutes=45),
        time_zone="America/New_York",
        location=Location("video", "https://meet.example/a?b=c&d"),
        invitee=Invitee("Sam Okafor", "sam@example.org"),
        answers={"topic": "Prices & <b>terms</b>"},
        created_at=NOW,
        language="en",
    )
    return msgspec.structs.replace(booking, **changes)


def draft(addressee: Addressee, to: str) -> Draft:
    return Draft(
        mail_id=MailId("evt_abc", addressee),
        link_id="lnk_abc",
        host_id="hst_abc",
        event_type_id="ety_abc",
        booking_id="bkg_abc",
        to=to,
    )


def news_of(
    addressee: Addressee, news: News = "confirmed", host: Host | None = None, **changes: Any
) -> BookingNews:
    booking = a_booking(
        status=BookingStatus.CANCELLED if news == "cancelled" else BookingStatus.CONFIRMED, **changes
    )
    host = host or a_host()
    person = booking.invitee.email if booking.invitee else ""
    return BookingNews(
        draft=draft(addressee, person if addressee is Addressee.INVITEE else host.settings.email),
        news=news,
        booking=booking,
        host=host,
        previous_start=START - timedelta(days=1) if news == "moved" else None,
        by_invitee=True,
        labels={"topic": "What about?"},
        link_label="Spring leads",
    )


def mail_of(news: BookingNews) -> EmailMessage:
    """Return the parsed email about a booking."""
    return read(booking_mail(news, MailRoute(SENDER, delivery_address(news.draft.to), NOW), PAGE, CONSOLE))


def read(raw: bytes) -> EmailMessage:
    """Parse an email and check what holds for every email."""
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998  # RFC 5322 §2.1.1
    assert raw.count(b"\n") == raw.count(b"\r\n")
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert not [part.defects for part in mail.walk() if part.defects]
    names = [name.lower() for name in mail.keys()]  # noqa: SIM118 - `keys()` lists duplicate headers
    assert len(set(names)) == len(names)
    allowed = {"from", "to", "reply-to", "subject", "date", "message-id", "content-language"}
    assert set(names) - allowed == {"auto-submitted", "mime-version", "content-type"}
    assert mail["auto-submitted"] == "auto-generated"
    return mail


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content.replace("\r\n", "\n")


def invite_of(mail: EmailMessage) -> tuple[Calendar, Event]:
    """Parse the invitation with an independent parser; check that the body part and the attachment are equal."""
    body_parts = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    [file] = [part for part in mail.iter_attachments() if part.get_content_type() == "application/ics"]
    assert len(body_parts) == 1
    assert file.get_filename() == "invite.ics"
    assert file.get_content_disposition() == "attachment"
    payload = body_parts[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload == file.get_payload(decode=True)
    calendar = IcsCalendarStream.calendar_from_ics(payload.decode())
    [event] = calendar.events
    assert body_parts[0].get_param("method") == calendar.method == file.get_param("method")
    assert str(body_parts[0].get_param("charset")).upper() == "UTF-8"
    return calendar, event


def named_in(mail: EmailMessage, name: str) -> str:
    """Return the display name in a header, by the older parser: the newer one keeps spaces between encoded words."""
    [raw] = [value for key, value in mail.raw_items() if key.lower() == name.lower()]
    return str(make_header(decode_header(parseaddr(raw.replace("\r\n", ""))[0])))


class Tags(HTMLParser):
    """The tags and the text of an HTML document."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


# Emails about a booking


def test_the_invitees_email_has_the_booking_and_the_link_to_change_it() -> None:
    mail = mail_of(news_of(Addressee.INVITEE))

    assert mail["from"] == "Mia Moreau <bookings@admit.example>"
    assert mail["to"] == "Sam Okafor <sam@example.org>"
    assert mail["reply-to"] == "Mia Moreau <mia@team.example>"
    assert mail["message-id"] == "<evt_abc.invitee@admit.example>"
    assert (
        mail["subject"] == "Confirmed: Product walk-through with Mia Moreau, Tuesday 24 November 2026, 04:30"
    )
    assert text_of(mail) == (
        "Hello Sam Okafor,\n\n"
        "Your booking with Mia Moreau is confirmed.\n\n"
        "What: Product walk-through\n"
        "When: Tuesday 24 November 2026, 04:30 – 05:15 (Eastern Time, UTC−5)\n"
        "For Mia Moreau: Tuesday 24 November 2026, 10:30 – 11:15 (Central European Time, UTC+1)\n"
        "Where: https://meet.example/a?b=c&d\n"
        "With: Mia Moreau\n\n"
        f"Move or cancel: {PAGE}\n\n"
        "This link is meant for you alone: whoever has it can change your booking.\n\n"
        "-- \nThis email was sent automatically. If you reply, your reply goes to Mia Moreau.\n"
    )
    links = [attrs["href"] for tag, attrs in Tags(text_of(mail, "html")).tags if tag == "a"]
    assert links == ["https://meet.example/a?b=c&d", PAGE]


def test_the_invitee_sees_the_public_name_and_the_host_the_own_name() -> None:
    """No header, line or calendar entry of the invitee's email has the host's other name."""
    host = a_host(name="Mia Moreau (Sales DE)", public_name="Dr. Moreau")
    raw = booking_mail(
        news_of(Addressee.INVITEE, host=host),
        MailRoute(SENDER, delivery_address("sam@example.org"), NOW),
        PAGE,
        CONSOLE,
    )
    mail = read(raw)
    assert mail["from"] == '"Dr. Moreau" <bookings@admit.example>'
    assert mail["reply-to"] == '"Dr. Moreau" <mia@team.example>'
    assert "Your booking with Dr. Moreau is confirmed." in text_of(mail)
    assert "Sales" not in mail.as_string() + text_of(mail) + text_of(mail, "html") + text_of(mail, "calendar")
    assert "CN=Dr. Moreau" in text_of(mail, "calendar").replace('"', "")

    theirs = mail_of(news_of(Addressee.HOST, host=host))
    assert theirs["to"] == '"Mia Moreau (Sales DE)" <mia@team.example>'
    assert "Hello Mia Moreau (Sales DE)," in text_of(theirs)


def test_the_hosts_email_has_the_invitee_and_the_answers_but_no_token() -> None:
    news = news_of(Addressee.HOST, language="ja")
    mail = mail_of(news)

    assert mail["from"] == "Admit One <bookings@admit.example>"
    assert mail["to"] == "Mia Moreau <mia@team.example>"
    assert mail["reply-to"] == "Sam Okafor <sam@example.org>"
    text = text_of(mail)
    assert "Sam Okafor has booked a time with you." in text
    assert "When: Tuesday 24 November 2026, 10:30 – 11:15 (Central European Time, UTC+1)" in text
    assert "For Sam Okafor: Tuesday 24 November 2026, 04:30 – 05:15 (Eastern Time, UTC−5)" in text
    assert "With: Sam Okafor, sam@example.org" in text
    assert "What about?: Prices & <b>terms</b>" in text
    raw = booking_mail(news, MailRoute(SENDER, "mia@team.example", NOW), PAGE, CONSOLE)
    assert b"token" not in raw
    assert "AQtoken" not in "".join(
        part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"
    )


@pytest.mark.parametrize(
    ("name", "shown_as"), [("bell hooks", "bell hooks"), ("Call +1 555", "sam@example.org")]
)
def test_a_name_or_address_at_the_start_of_a_sentence_keeps_its_case(name: str, shown_as: str) -> None:
    """An address in another case could be another address."""
    text = text_of(mail_of(news_of(Addressee.HOST, invitee=Invitee(name, "sam@example.org"))))
    assert f"\n{shown_as} has booked a time with you." in text.replace("\r", "")


def test_times_in_equal_zones_are_written_once() -> None:
    text = text_of(mail_of(news_of(Addressee.INVITEE, time_zone="Europe/Paris")))
    assert text.count("November") == 1


def test_the_email_about_a_move_has_the_previous_time() -> None:
    mail = mail_of(news_of(Addressee.INVITEE, "moved"))
    assert mail["subject"].startswith("Moved: Product walk-through with Mia Moreau, now Tuesday 24 November")
    assert "Before: Monday 23 November 2026, 04:30 (Eastern Time, UTC−5)" in text_of(mail)
    assert "has moved their booking" in text_of(mail_of(news_of(Addressee.HOST, "moved")))


def test_the_email_about_a_cancellation_has_no_link_to_change_it() -> None:
    mail = mail_of(news_of(Addressee.INVITEE, "cancelled"))
    assert mail["subject"].startswith("Cancelled: ")
    assert PAGE not in text_of(mail) + text_of(mail, "html")
    assert "Sam Okafor has cancelled" in text_of(mail_of(news_of(Addressee.HOST, "cancelled")))


def test_the_host_gets_an_email_about_a_cancellation_after_erasure() -> None:
    mail = mail_of(news_of(Addressee.HOST, "cancelled", invitee=None, answers={}))
    assert mail["reply-to"] is None
    assert "Someone whose data was erased has cancelled" in text_of(mail)
    _, event = invite_of(mail)
    assert [one.uri for one in event.attendees] == ["mailto:mia@team.example"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("news", get_args(News))
def test_every_email_is_complete_in_every_language(language: Language, news: News) -> None:
    mail = mail_of(news_of(Addressee.INVITEE, news, language=language))
    html = text_of(mail, "html")
    assert mail["content-language"] == language
    assert f'<html lang="{language}">' in html
    for shown in (str(mail["subject"]), text_of(mail), html):
        assert "Product walk-through" in shown
        assert "{" not in shown
    if language != "en":
        english = text_of(mail_of(news_of(Addressee.INVITEE, news)))
        same = set(text_of(mail).splitlines()) & set(english.splitlines()) - {""}
        assert not [line for line in same if re.search("[a-z]{4} [a-z]{3}", line)]


def test_an_unknown_language_falls_back_to_english() -> None:
    assert mail_of(news_of(Addressee.INVITEE, language="tlh"))["content-language"] == "en"


# Emails with a link


def link_news(**changes: Any) -> LinkNews:
    wish_fields = {name: changes.pop(name) for name in ("language", "message") if name in changes}
    recipient = changes.pop("recipient", Recipient("Sam Okafor", "sam@example.org"))
    link = Link(
        link_id="lnk_abc",
        host_id="hst_abc",
        event_type_id="ety_abc",
        key_id=1,
        settings=LinkSettings(recipient=recipient, **changes),
        created_at=NOW,
    )
    request = LinkMail(
        **{
            "send_id": "s",
            "link_id": "lnk_abc",
            "host_id": "hst_abc",
            "event_type_id": "ety_abc",
            "to": recipient.email,
            "language": "en",
            "message": "",
            "body_hash": "",
            "requested_at": NOW,
        }
        | wish_fields
    )
    offer = EventSettings(title="Intro <call>", duration_minutes=30, schedule=Schedule("Europe/Berlin"))
    return LinkNews(
        draft=draft(Addressee.RECIPIENT, recipient.email),
        request=request,
        link=link,
        offer=offer,
        host=a_host(),
    )


def sent(news: LinkNews) -> EmailMessage:
    return read(link_mail(news, MailRoute(SENDER, news.draft.to, NOW), URL))


def test_a_links_email_has_the_host_the_offer_and_the_limits() -> None:
    mail = sent(
        link_news(
            message="Good to meet you!\nSee <you> soon.",
            expires_at=START,
            recipient=Recipient("Sam", "sam@example.org", "email"),
        )
    )
    assert mail["from"] == "Mia Moreau <bookings@admit.example>"
    assert mail["reply-to"] == "Mia Moreau <mia@team.example>"
    assert mail["subject"] == "Mia Moreau asks you to pick a time: Intro <call>"
    assert text_of(mail) == (
        "Hello Sam,\n\n"
        "Mia Moreau has sent you a private link: please pick a time for Intro <call> (30 minutes).\n\n"
        "> Good to meet you!\n> See <you> soon.\n\n"
        f"Pick a time: {URL}\n\n"
        "It is good until Tuesday 24 November 2026, 10:30 (Central European Time, UTC+1). It is good for one booking. "
        "Please book with the email address that this was sent to.\n\n"
        "-- \nThis email was sent automatically. If you reply, your reply goes to Mia Moreau.\n"
    )
    page = Tags(text_of(mail, "html"))
    assert "See <you> soon." in page.words
    assert [attrs["href"] for tag, attrs in page.tags if tag == "a"] == [URL]
    assert mail.get_content_type() == "multipart/alternative"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_links_email_is_complete_in_every_language(language: Language) -> None:
    mail = sent(
        link_news(
            language=language,
            not_before=NOW + timedelta(hours=1),
            expires_at=START,
            max_usage_count=3,
            recipient=Recipient("Sam", "sam@example.org", "domain"),
        )
    )
    assert mail["content-language"] == language
    assert "example.org" in text_of(mail)
    assert URL in text_of(mail)
    assert "3" in text_of(mail)
    assert "{" not in text_of(mail) + text_of(mail, "html") + str(mail["subject"])


# Typed text


@pytest.mark.parametrize("typed", HARD)
@pytest.mark.parametrize("addressee", [Addressee.INVITEE, Addressee.HOST])
def test_typed_text_cannot_add_a_header_or_a_tag(typed: str, addressee: Addressee) -> None:
    news = news_of(
        addressee,
        host=a_host(name=typed),
        title=typed,
        invitee=Invitee(typed, "sam@example.org"),
        location=Location("custom", typed),
        answers={"topic": typed},
    )
    mail = mail_of(news)  # `read` checks the headers
    expected = {
        Addressee.INVITEE: ("sam@example.org", "mia@team.example"),
        Addressee.HOST: ("mia@team.example", "sam@example.org"),
    }[addressee]
    for name, address in zip(("to", "reply-to"), expected, strict=True):
        [found] = mail[name].addresses
        assert found.addr_spec == address
        theirs = (name == "to") == (
            addressee is Addressee.INVITEE
        )  # the invitee's name, which anybody may have typed
        assert named_in(mail, name) == (name_for_mail(typed) if theirs else one_line(typed))
    [sender] = mail["from"].addresses
    assert sender.addr_spec == SENDER
    page = Tags(text_of(mail, "html"))
    assert {tag for tag, _ in page.tags} <= {
        "html", "head", "meta", "title", "body", "div", "p", "table", "tr", "td", "a",
    }  # fmt: skip
    calendar, event = invite_of(mail)
    assert calendar.method == "REQUEST"
    assert event.organizer is not None
    assert next(one.uri for one in event.attendees) == f"mailto:{expected[0]}"


@given(st.text(max_size=300))
def test_any_text_in_a_header_is_read_back_unchanged(typed: str) -> None:
    heading = Heading(
        sender=Mailbox(typed, SENDER),
        to=Mailbox(typed, "sam@example.org"),
        reply_to=None,
        date=NOW,
        message_id="a@b",
        language="en",
    )
    mail = read(mail_bytes(Mail(subject=typed, text=typed, html="<p>"), heading))
    assert mail["subject"].strip() == one_line(typed)
    for name, address in (("From", SENDER), ("To", "sam@example.org")):
        assert [found.addr_spec for found in mail[name].addresses] == [address]
        assert named_in(mail, name) == one_line(typed)


@pytest.mark.parametrize(
    "name",
    [
        "http://evil.example/",
        "evil.example",
        "call evil@example.org",
        "www.evil.example",
        "open evil。com/login",
        "URGENT: call +1 555 010 999",
        "Hello URGENT: your account … call +1 555 0100, open evil。com/login " * 3,
    ],
)
def test_a_name_that_looks_like_a_link_is_left_out(name: str) -> None:
    """Anyone with a link can book with any name and address, which must not let them email a victim a URL."""
    mail = mail_of(news_of(Addressee.INVITEE, invitee=Invitee(name, "victim@example.org")))
    assert text_of(mail).startswith("Hello,\n")
    assert mail["to"] == "victim@example.org"
    _, event = invite_of(mail)
    assert not next(iter(event.attendees)).common_name
    whole = str(mail["subject"]) + text_of(mail) + text_of(mail, "html") + text_of(mail, "calendar")
    assert "evil" not in whole
    assert "URGENT" not in whole


def test_the_hosts_email_quotes_a_strangers_name_as_short_plain_words() -> None:
    """The quotation has no URLs and no numbers."""
    typed = "URGENT: call +1 555 0100, open evil。com/login or https://evil.example/ at once, or lose it all today"
    mail = mail_of(news_of(Addressee.HOST, invitee=Invitee(typed, "sam@example.org")))
    assert mail["reply-to"] == "sam@example.org"
    lines = [line for line in text_of(mail).splitlines() if "URGENT" in line]
    assert lines == ["With: “URGENT call open evil com login or https evil …”, sam@example.org"]
    assert "555" not in text_of(mail) + text_of(mail, "html") + text_of(mail, "calendar")


@pytest.mark.parametrize("name", ["علی\u200cرضا", "ශ්\u200dරී ලංකා", "葛\U000e0100城 まゆ", "Zoë O’Neil"])
def test_joiners_and_variation_selectors_are_kept(name: str) -> None:
    """Without joiners Persian names look different, and emoji fall apart."""
    title = "Meet 👩\u200d🚀 ❤\ufe0f"
    host = a_host(public_name=name)
    mail = mail_of(
        news_of(Addressee.INVITEE, host=host, title=title, invitee=Invitee(name, "sam@example.org"))
    )
    assert title in str(mail["subject"])
    assert text_of(mail).startswith(f"Hello {name},\n")
    assert named_in(mail, "From") == named_in(mail, "To") == name
    _, event = invite_of(mail)
    assert event.organizer is not None
    assert event.organizer.common_name == name
    assert event.summary == f"{title} with {name}"
    assert next(iter(event.attendees)).common_name == name


def test_addresses_with_non_ascii_characters() -> None:
    """The domain is converted with IDNA; SES rejects other characters before the @, so no Reply-To has them."""
    assert delivery_address("sam@Bücher.example") == "sam@xn--bcher-kva.example"
    for refused in ("sám@example.org", "not an address"):
        with pytest.raises(MailRefusedError):
            delivery_address(refused)
    mail = mail_of(news_of(Addressee.INVITEE, host=a_host(email="jürgen@team.example")))
    assert mail["reply-to"] is None
    mail = mail_of(news_of(Addressee.INVITEE, host=a_host(email="mia@bücher.example")))
    assert mail["reply-to"].addresses[0].addr_spec == "mia@xn--bcher-kva.example"


def test_an_email_loads_no_resources() -> None:
    page = Tags(text_of(mail_of(news_of(Addressee.INVITEE)), "html"))
    assert not {"img", "script", "link", "style", "iframe", "form"} & {tag for tag, _ in page.tags}
    assert not [attrs for _, attrs in page.tags if "src" in attrs or "url(" in (attrs.get("style") or "")]
    assert ("meta", {"name": "color-scheme", "content": "light dark"}) in page.tags


def test_the_same_email_has_the_same_bytes() -> None:
    """An email sent again after a lost response is identical to the first."""
    news, route = news_of(Addressee.INVITEE), MailRoute(SENDER, "sam@example.org", NOW)
    assert booking_mail(news, route, PAGE, CONSOLE) == booking_mail(news, route, PAGE, CONSOLE)


FORGERIES: Final = [
    "hi\n\nWhere: https://evil.example",
    "hi\r\nWhere: https://evil.example",
    *(f"hi{end}Where: https://evil.example" for end in "\v\f\x1c\x1d\x1e\x85\u2028\u2029\r"),
    "hi " + "x " * 60 + "Where: https://evil.example",
    "hi " + "\u3000" * 80 + "Where: https://evil.example",
    "語" * 60 + "Where: https://evil.example",
    "Where: https://evil.example",
]


def own_lines(text: str) -> list[str]:
    """Return the lines that a reader takes for the email's own text, after a mail program has wrapped long lines."""
    return [
        piece.strip()
        for line in text.splitlines()
        if not line.startswith("> ")
        for piece in ([line] if len(line) <= 76 or " " not in line else textwrap.wrap(line, 76))
    ]


@pytest.mark.parametrize("typed", FORGERIES)
@pytest.mark.parametrize("news", get_args(News))
def test_typed_text_cannot_forge_a_line_of_the_email(typed: str, news: News) -> None:
    """Neither line breaks of any kind nor long answers can forge a "Where: …" in an email or calendar."""
    mail = mail_of(
        news_of(
            Addressee.HOST,
            news,
            answers={"topic": typed},
            title=typed,
            invitee=Invitee(typed[:100], "sam@example.org"),
            location=Location("custom", typed),
        )
    )
    _, event = invite_of(mail)
    for text in (text_of(mail), event.description or ""):
        assert not [line for line in own_lines(text) if line.startswith("Where: https://evil")]
        assert "evil.example" in text
    link = sent(link_news(message=typed, recipient=Recipient(typed[:100], "sam@example.org")))
    assert not [line for line in own_lines(text_of(link)) if line.startswith("Where:")]


@pytest.mark.parametrize(
    "typed",
    [
        "x" * 70 + "\u2800Where:\u2800https://evil.example",  # blank characters that are not spaces
        "x" * 70 + "\u3164Where:\u3164https://evil.example",
        "x" * 70 + "\xadWhere:https://evil.example",
        "-" * 70 + "Where:https://evil.example",  # mail programs also break lines after a hyphen
        "会" * 40 + "場所：https://evil.example",
        "a " + "語" * 60,
    ],
)
def test_quoted_lines_are_short_enough_not_to_be_wrapped(typed: str) -> None:
    """If a mail program wrapped a quoted line, the rest would have no quotation mark."""
    mail = mail_of(news_of(Addressee.HOST, answers={"topic": f"{typed}zzzzz"}))
    _, event = invite_of(mail)
    for text in (text_of(mail), event.description or ""):
        found = [line for line in text.splitlines() if "zz" in line]
        assert found
        assert all(line.startswith("> ") for line in found)
    url = "https://meet.example/" + "x" * 90
    assert url in text_of(mail_of(news_of(Addressee.HOST, answers={"topic": url})))
    assert f"> {url}" in text_of(mail_of(news_of(Addressee.HOST, answers={"topic": f"see {url}"})))


@pytest.mark.parametrize("news", get_args(News))
def test_every_version_of_the_hosts_entry_has_the_invitee_and_the_answers(news: News) -> None:
    """Entries for moves and cancellations also have the link to manage the booking."""
    mail = mail_of(news_of(Addressee.HOST, news))
    _, event = invite_of(mail)
    assert event.description == (
        "With: Sam Okafor, sam@example.org\n"
        "What about?: Prices & <b>terms</b>\n"
        "Link label: Spring leads\n"
        f"Manage: {CONSOLE}"
    )
    assert event.description in text_of(mail)
    assert event.summary == "Product walk-through: Sam Okafor"
    _, theirs = invite_of(mail_of(news_of(Addressee.INVITEE, news)))
    assert "With Mia Moreau." in (theirs.description or "") or news == "cancelled"
    for one in (event, theirs):
        assert one.location == (None if news == "cancelled" else "https://meet.example/a?b=c&d")


def test_japanese_times_have_japanese_punctuation() -> None:
    """There is no comma before the time, and the zone is in full-width brackets."""
    text = text_of(mail_of(news_of(Addressee.INVITEE, language="ja")))
    assert re.search(r"^日時：\d+年\d+月\d+日.曜日 \d+:\d\d～\d+:\d\d（[^()（）]+）$", text, re.MULTILINE), (
        text
    )


def test_the_email_about_a_cancellation_has_no_location() -> None:
    """For example, it has no meeting URL."""
    for addressee in (Addressee.INVITEE, Addressee.HOST):
        mail = mail_of(news_of(addressee, "cancelled"))
        assert "meet.example" not in text_of(mail) + text_of(mail, "html")
        assert "meet.example" not in (invite_of(mail)[1].location or "")


@pytest.mark.parametrize("news", get_args(News))
def test_the_hosts_email_says_that_the_invitee_cannot_be_emailed(news: News) -> None:
    """SES can't send to the address, so the email promises no reply and the invitation has no attendee for it."""
    mail = mail_of(news_of(Addressee.HOST, news, invitee=Invitee("Jörg", "jörg@example.com")))
    text = text_of(mail)
    assert "Jörg won’t get an email about this: our email service can’t send to jörg@example.com." in text
    assert "If you reply" not in text
    assert mail["reply-to"] is None
    assert [one.uri for one in invite_of(mail)[1].attendees] == ["mailto:mia@team.example"]


@pytest.mark.parametrize("news", get_args(News))
@pytest.mark.parametrize("by_invitee", [True, False])
def test_the_host_is_asked_to_inform_only_an_invitee_who_does_not_know(
    news: News, *, by_invitee: bool
) -> None:
    """An invitee who made the change already knows about it."""
    news_for_host = news_of(Addressee.HOST, news, invitee=Invitee("Jörg", "jörg@example.com"))
    text = text_of(mail_of(msgspec.structs.replace(news_for_host, by_invitee=by_invitee)))
    assert ("Please let them know yourself." in text) is not by_invitee


def test_the_invitees_email_suggests_no_reply_to_an_unsupported_address() -> None:
    news = news_of(Addressee.INVITEE, host=a_host(email="jürgen@team.example"))
    mail = mail_of(news)
    assert "If you reply" not in text_of(mail)
    organizer = invite_of(mail)[1].organizer
    assert organizer is not None
    assert (organizer.uri, organizer.common_name) == (f"mailto:{SENDER}", "Mia Moreau")
    link = link_mail(
        msgspec.structs.replace(link_news(), host=a_host(email="jürgen@team.example")),
        MailRoute(SENDER, "sam@example.org", NOW),
        URL,
    )
    assert "If you reply" not in text_of(read(link))


def test_a_digest_has_the_current_bookings_and_a_calendar() -> None:
    """P15: updates beyond the daily budget are in one email, with a calendar file."""
    later = START + timedelta(days=1)
    bookings = (
        a_booking(answers={"topic": "x"}),
        a_booking(
            booking_id="bkg_def",
            status=BookingStatus.CANCELLED,
            invitee=Invitee("Eve\nBooked: 1 January", "e@x.example"),
            start=later,
            end=later + timedelta(minutes=45),
        ),
    )
    digest_id = DigestId("hst_abc", NOW.date())
    news = DigestNews(
        draft=draft(Addressee.DIGEST, "mia@team.example"),
        digest=Digest(digest_id=digest_id, booking_ids=("bkg_abc", "bkg_def"), more=True),
        host=a_host(),
        bookings=bookings,
    )
    mail = read(digest_mail(news, MailRoute(SENDER, "mia@team.example", NOW), CONSOLE))
    text = text_of(mail)
    assert mail["subject"] == "More booking updates from Saturday 21 November 2026"
    lines = text.splitlines()
    assert lines[lines.index("Booked, Tuesday 24 November 2026, 10:30:") + 1] == (
        "> Product walk-through: Sam Okafor"
    )
    assert "Cancelled, Wednesday 25 November 2026, 10:30: Product walk-through" in lines
    assert "More bookings changed than are listed here." in text
    [file] = mail.iter_attachments()
    payload = file.get_payload(decode=True)
    assert isinstance(payload, bytes)
    calendar = IcsCalendarStream.calendar_from_ics(payload.decode())
    assert calendar.method is None
    assert [event.status for event in calendar.events] == ["CONFIRMED", "CANCELLED"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_digests_and_notes_are_translated_into_every_language(language: Language) -> None:
    say = words(language)
    for key in ("digest.subject", "digest"):
        assert "{" not in say(f"mails.{key}", day="D")
    for key in ("digest.confirmed", "digest.cancelled", "digest.more", "digest.calendar", "host.manage"):
        assert say(f"mails.{key}")
    assert "Jörg" in say("mails.host.not-emailed", invitee="Jörg", email="jörg@x.example")


# Invitations


def apply_invitation(calendar: dict[str, Event], mail: EmailMessage) -> None:
    """Apply an invitation to a calendar by UID, unless the calendar has a newer version (RFC 5546 §2.1.5)."""
    invitation, event = invite_of(mail)
    assert event.uid is not None
    known = calendar.get(event.uid)
    if known is not None and (event.sequence or 0) < (known.sequence or 0):
        return
    if invitation.method == "CANCEL":
        calendar.pop(event.uid, None)
    else:
        calendar[event.uid] = event


@pytest.mark.parametrize("addressee", [Addressee.INVITEE, Addressee.HOST])
def test_a_calendar_follows_a_booking_from_confirmation_to_cancellation(addressee: Addressee) -> None:
    later = START + timedelta(days=2)
    moved: dict[str, Any] = {"start": later, "end": later + timedelta(minutes=45), "sequence": 2}
    confirmation, move = mail_of(news_of(addressee)), mail_of(news_of(addressee, "moved", **moved))
    cancellation = mail_of(news_of(addressee, "cancelled", **moved | {"sequence": 3}))
    calendar: dict[str, Event] = {}

    apply_invitation(calendar, confirmation)
    assert [event.dtstart for event in calendar.values()] == [START]
    apply_invitation(calendar, move)
    assert [event.dtstart for event in calendar.values()] == [later]
    apply_invitation(calendar, confirmation)  # a late duplicate
    assert [event.dtstart for event in calendar.values()] == [later]
    apply_invitation(calendar, cancellation)
    assert calendar == {}

    invites = [invite_of(mail) for mail in (confirmation, move, cancellation)]
    assert [calendar.method for calendar, _ in invites] == ["REQUEST", "REQUEST", "CANCEL"]
    assert [event.sequence for _, event in invites] == [0, 1, 2]
    assert {event.uid for _, event in invites} == {"bkg_abc@admit-one"}


def test_the_host_organizes_the_invitees_entry_and_the_product_the_hosts() -> None:
    """Calendars ignore an invitation from their own user."""
    _, theirs = invite_of(mail_of(news_of(Addressee.INVITEE)))
    _, hosts = invite_of(mail_of(news_of(Addressee.HOST)))
    assert theirs.organizer is not None
    assert hosts.organizer is not None
    assert theirs.organizer.uri == "mailto:mia@team.example"
    assert [one.uri for one in theirs.attendees] == ["mailto:sam@example.org"]
    assert PAGE not in (theirs.description or "")
    assert (theirs.url, hosts.url) == (None, None)
    assert theirs.summary == "Product walk-through with Mia Moreau"
    assert hosts.summary == "Product walk-through: Sam Okafor"
    assert hosts.organizer.uri == f"mailto:{SENDER}"
    assert [one.uri for one in hosts.attendees] == ["mailto:mia@team.example", "mailto:sam@example.org"]
    assert "AQtoken" not in (hosts.description or "") + str(hosts.url)


def test_the_hosts_entry_has_the_invitee_and_the_answers() -> None:
    """On the day of the booking, the host may look only at the calendar."""
    _, event = invite_of(mail_of(news_of(Addressee.HOST)))
    description = event.description or ""
    assert "sam@example.org" in description
    assert "Prices & <b>terms</b>" in description


@pytest.mark.parametrize(
    ("address", "can"),
    [
        ("sam@example.org", True),
        ("sam@müller.example", True),  # converted with IDNA
        ("jörg@example.com", False),  # SES has no SMTPUTF8
        ("no address", False),
    ],
)
def test_an_email_is_promised_only_to_an_address_that_ses_supports(address: str, can: bool) -> None:
    """No page or email promises an email that can't be sent."""
    assert is_deliverable(address) is can
