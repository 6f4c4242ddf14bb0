"""What names, lines, texts and addresses may contain: examples and properties (P7)."""

import json
import re
import unicodedata

import msgspec
import pytest
from hypothesis import given, strategies as st

from chalicelib.domain.bookings.booking import Invitee
from chalicelib.domain.decoding import decode_json
from chalicelib.domain.event_types.event_type import EventSettings, Location, Question
from chalicelib.domain.event_types.offers import Overrides
from chalicelib.domain.event_types.schedules import Schedule
from chalicelib.domain.imports.sheet import read_sheet
from chalicelib.domain.links.link import LinkSettings, Recipient
from chalicelib.domain.mail.email_addresses import is_email
from chalicelib.domain.team.hosts import HostSettings
from chalicelib.domain.text import (
    MAIL_NAME_COLUMNS,
    MAIL_NAME_WORDS,
    faults_of_text,
    is_visible,
    line_ends,
    name_for_mail,
    one_line,
    quoted_name,
    tidy_address,
    tidy_line,
    tidy_lines,
)
from chalicelib.domain.webhooks.webhook import WebhookSettings

# Characters with special handling, which random texts should have often.
ODD = (
    "\0\t\n\v\f\r\x1b\x7f\x85\u00ad\u200b\u200c\u200d\u200e\u202a\u202e\u2028\u2029\u2060\u2066\u2069\u3164\ufeff\ufffe"
    "\U000e0001\U000e0041\U000e007f\U0001f3f4👩🚀❤\ufe0fé'-.· Aa李محمद्。．@:/1"
)
TEXTS = st.text(alphabet=st.one_of(st.sampled_from(ODD), st.characters(exclude_categories=())), max_size=80)
HIDDEN = "\u200b\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff\U000e0001\U000e0041"
NAMES = [
    "O'Neil", "O’Neil", "Jean-Luc", "محمد", "李小龍", "María José", "Dr. Jane Doe", "J. R. R. Tolkien",
    "J.R.R. Tolkien",     "علی\u200cرضا", "Anne-Marie d'Arc", "van der Berg", "Ng", "田中 太郎",
    "Nguyễn Thị Minh Khai", "ジョン・スミス",
    "'t Hooft", "Gal·la Placídia", "J.-P. Sartre", "ז׳בוטינסקי", "Martin Luther King Jr.", "葛\U000e0100城", "김철수",
    "सत्यजित राय", "ශ්\u200dරී", "สมชาย ใจดี", "Владимир Ильич", "Πλάτων", "Ada Lovelace Ph.D.", "ʻAkahi", "Sándor",
    "Maria da Conceição dos Santos Pereira da Silva", "DUPONT Jean", "Li", "X Æ",
    "བསྟན་འཛིན", "བསྟན་འཛིན་རྒྱ་མཚོ་", "አበበ፡ቢቂላ",
]  # fmt: skip
NO_NAMES = [
    "", "Hello URGENT: … call +1 …, open evil。com/login", "evil.com", "t.co", "evil．com", "evil｡com",
    "evil\u2024com",     "call +1 555", "0123 456", "😀", "🚀 Ada", "http://x", "www.evil.com",
    "ada@evil.example", "<b>Ada</b>",
    "Ada\u3164",
    "x" * 51, "李" * 26, "a b c d e f g h i", "--", "...", "-Ada", "Ada ② Best", "½", "Z" + "\u0301" * 9,
    "Ada/Bob", "#Ada",
    "\u202e", "\u200d", "`Ada`", "“Ada”", "évil.example", "xn--80ak6aa92e.com", "١٢٣", "a.b.com",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_any_script_is_kept_in_emails(name: str) -> None:
    """The filter for emails keeps real names unchanged."""
    assert name_for_mail(name) == name
    assert faults_of_text(name, shortest=1, longest=200) == []
    assert tidy_line(name) == name


@pytest.mark.parametrize("name", NO_NAMES)
def test_text_that_is_not_a_name_is_left_out_of_emails(name: str) -> None:
    """A stranger's sentence, address or number is never shown as a name."""
    assert name_for_mail(name) == ""


@given(TEXTS)
def test_a_name_in_an_email_is_short_and_has_only_letters(text: str) -> None:
    """Mail programs can't turn any of it into a link or a phone number."""
    for shown in (name_for_mail(text), quoted_name(text)):
        assert len(shown.split(" ")) <= MAIL_NAME_COLUMNS
        assert len(shown) <= MAIL_NAME_COLUMNS + 2
        assert not set(shown) & set('@:/\\<>"()[];,0123456789。．｡\r\n\t')
        assert not any(unicodedata.category(one)[0] in "NCS" for one in shown if one not in "\u200c\u200d")
    assert name_for_mail(text).count(" ") < MAIL_NAME_WORDS
    assert name_for_mail(name_for_mail(text)) == name_for_mail(text)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Ada ", "Ada"),
        ("\ufeffAda\u200b", "Ada"),
        ("A\u202edA\u202c", "AdA"),
        ("\u2066Ada\u2069", "Ada"),
        ("Ada\U000e0041\U000e007f", "Ada"),
        ("Meet 👩\u200d🚀", "Meet 👩\u200d🚀"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("Jose\u0301", "José"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", None),
        ("שלום\u200e!", None),
    ],
)
def test_a_line_keeps_joiners_and_drops_hidden_characters(typed: str, kept: str | None) -> None:
    """Joiners, selectors, direction marks and flags stay; overrides, isolates, tags and zero-width spaces don't."""
    assert tidy_line(typed) == (typed if kept is None else kept)
    assert faults_of_text(tidy_line(typed), shortest=1, longest=200) == []


@pytest.mark.parametrize(
    "blank", ["", " ", "\u200b", "\u3164", "\u2800", "\u115f\u1160", "\u200d", "\u0301", "\ufe0f", "\xa0"]
)
def test_a_name_needs_a_visible_character(blank: str) -> None:
    """Fillers, joiners and lone marks are invisible."""
    assert not is_visible(blank)
    assert len(faults_of_text(tidy_line(blank), shortest=1, longest=200)) == 1
    assert faults_of_text(tidy_line(blank), longest=200) == []


@pytest.mark.parametrize("blank", ["\u3164", "\u2800", "\u115f\u1160", "\u200d", "\u0301", " \u200b\ufe0f"])
def test_an_invisible_recipients_name_is_empty(blank: str) -> None:
    """Otherwise a form would be prefilled with a name that is then rejected."""
    assert Recipient(blank, "ada@example.com") == Recipient("", "ada@example.com")
    row = next(iter(read_sheet(f'recipientName,recipientEmail\n"{blank}",ada@example.com\n', "ety").rows))
    assert row.settings is not None
    assert row.settings.recipient == Recipient("", "ada@example.com")


@pytest.mark.parametrize("bad", ["\0", "\x1b", "\x7f", "\x9f", "\ufdd0", "\uffff", "\U0001ffff", "\ud800"])
@pytest.mark.parametrize("lines", [False, True])
def test_control_characters_and_noncharacters_are_rejected(bad: str, lines: bool) -> None:
    """Nobody types them, and some can't be stored."""
    assert len(faults_of_text(f"a{bad}b", longest=9, lines=lines)) == 1


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_a_line_break_is_one_character_in_a_text_and_rejected_in_a_line(line_end: str) -> None:
    """Any notation of a line break counts as one character."""
    assert tidy_lines(f"a{line_end}b") == "a\nb"
    assert faults_of_text(tidy_lines(f"a{line_end}b"), longest=3, lines=True) == []
    assert len(faults_of_text(f"a{line_end}b", longest=9)) == 1
    assert one_line(f"a{line_end}b") == "a b"


@given(TEXTS)
def test_normalized_text_is_stable_and_has_no_hidden_characters(text: str) -> None:
    """Normalization is idempotent, so a stored text is read back unchanged."""
    for tidy in (tidy_line, tidy_lines, one_line):
        kept = tidy(text)
        assert tidy(kept) == kept
        assert not set(kept) & set(HIDDEN[:-2])
    assert not set("\r\v\f\x85\u2028\u2029") & set(tidy_lines(text))
    assert len(one_line(text).splitlines()) <= 1
    assert line_ends(line_ends(text)) == line_ends(text)


@pytest.mark.parametrize(
    "end", ["\u200b", "\ufeff", "\u2060", "\u3164", "\u200d", "\u202c", "\xa0", " ", "\n", "\U000e0041"]
)
def test_invisible_characters_around_an_address_are_removed(end: str) -> None:
    """Pasting can add them."""
    assert tidy_address(f"{end}ada@example.com{end}") == "ada@example.com"


@pytest.mark.parametrize(
    "one",
    ["\u200b", "\ufeff", "\u2060", "\u3164", "\u115f", "\u034f", "\u00ad", "\ufe0f", "\u2800", "\u202e"],
)
def test_invisible_characters_inside_an_address_are_rejected(one: str) -> None:
    """Otherwise two different addresses could look the same."""
    assert not is_email(f"a{one}da@example.com")
    assert not is_email(f"ada@exa{one}mple.com")
    assert is_email("ada@نامه\u200cای.com")  # a domain may have a joiner that its language needs


@given(TEXTS, st.booleans())
def test_a_line_break_in_json_is_one_character_however_it_is_escaped(text: str, by_number: bool) -> None:
    """Decoding JSON turns CRLF into one character, and keeps an escaped backslash before an r."""
    text = text.encode("utf-8", "ignore").decode() + "\\r\\\\\r\n\\n"
    raw = json.dumps({"a": text})
    if by_number:
        raw = re.sub(r"(\\\\)|\\r", lambda found: found[1] or r"\u000D", raw)
    assert decode_json(raw, dict[str, str]) == {"a": line_ends(text)}
    assert decode_json(raw.encode(), dict[str, str]) == {"a": line_ends(text)}
    nested = decode_json(json.dumps({"a": raw}), dict[str, str])["a"]  # JSON inside JSON
    assert decode_json(nested, dict[str, str]) == {"a": line_ends(text)}


HIDING = " \ufeffA\u202edae\u0301\u200b "


@pytest.mark.parametrize(
    ("struct", "names"),
    [
        (
            HostSettings(name=HIDING, email="a@b.example\u200b", time_zone="UTC", public_name=HIDING),
            ("name", "public_name"),
        ),
        (Invitee(HIDING, "a@b.example\u200b"), ("name",)),
        (Recipient(HIDING, " a@b.example\ufeff"), ("name",)),
        (LinkSettings(label=HIDING), ("label",)),
        (Overrides(title=HIDING), ("title",)),
        (EventSettings(title=HIDING, duration_minutes=30, schedule=Schedule("UTC")), ("title",)),
        (Location("custom", HIDING), ("detail",)),
        (Question("q", HIDING), ("label",)),
        (WebhookSettings(url="https://x.example", description=HIDING), ("description",)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_structs_normalize_their_text(struct: msgspec.Struct, names: tuple[str, ...]) -> None:
    """They do so when they are created, changed and read from the table, so no entry point can forget it."""
    changed = msgspec.structs.replace(struct, **dict.fromkeys(names, HIDING))
    read = msgspec.json.decode(
        msgspec.json.encode(struct).replace("Adaé".encode(), HIDING.encode()), type=type(struct)
    )
    for one in (struct, changed, read):
        assert {getattr(one, name) for name in names} == {"Adaé"}
        assert getattr(one, "email", "a@b.example") == "a@b.example"
