"""Define what names, single lines, longer texts and email addresses may contain, for every entry point.

There are two steps. When a domain struct is created, `tidy_…` drops invisible characters that nobody meant to send;
JSON, forms, CSV, commands and stored values all pass through it. `faults_of_text` then returns what is wrong with the
rest. docs/adr/0021-text.md has the reasons.
"""

import re
import unicodedata
from functools import cache
from typing import Final

import msgspec

MAX_NAME_LENGTH: Final = 200  # in characters; the name of a host, an invitee or a recipient
MAX_TITLE_LENGTH: Final = 200
MAX_LABEL_LENGTH: Final = 200
MAX_QUESTION_LENGTH: Final = 300
MAX_OPTION_LENGTH: Final = 200
MAX_ANSWER_LENGTH: Final = 2000
MAX_DETAIL_LENGTH: Final = 500  # of a location
MAX_DESCRIPTION_LENGTH: Final = 4000
MAX_MESSAGE_LENGTH: Final = 1000
MAX_NOTE_LENGTH: Final = 200  # the description of a webhook
MAX_KEY_NAME_LENGTH: Final = 100

# The longest name that an email shows. Letters of East Asian scripts are two columns wide.
MAIL_NAME_COLUMNS: Final = 50
MAIL_NAME_WORDS: Final = 8
_MAX_MARKS: Final = 5  # on one letter; Tibetan stacks four

# Unicode's Default_Ignorable_Code_Point: invisible by itself.
_IGNORABLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# The subset that reorders or hides other text: overrides and isolates, zero-width spaces, tags. It does not include
# joiners (U+200C, U+200D), direction marks and variation selectors, which scripts and emoji need.
_DROPPED: Final = (
    "\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\U0001bca0-\U0001bca3\U000e0000-\U000e007f"
)
_FLAG: Final = (  # the flags of England, Scotland and Wales are spelled with tags
    "\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
    "|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
_LINE_ENDS: Final = re.compile(r"\r\n?")
_OTHER_LINE_ENDS: Final = re.compile("[\v\f\x85\u2028\u2029]")
_DROP: Final = re.compile(f"({_FLAG})|[{_DROPPED}]")
_INVISIBLE: Final = re.compile(rf"[\s{_IGNORABLE}\u2800]")
_CONTROLS: Final = "\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
_BREAKS: Final = "\t\n\v\f\r\x85\u2028\u2029"
_NO_TEXT: Final = "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff" + "".join(
    f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(1, 17)
)


def line_ends(text: str) -> str:
    r"""Return a text with each line end (CRLF or CR) as `\n`, so that it counts as one character everywhere.

    >>> line_ends("a\r\nb\rc\n")
    'a\nb\nc\n'
    """
    return _LINE_ENDS.sub("\n", text) if "\r" in text else text


def tidy_line(text: str) -> str:
    r"""Return a single line in the form to store: NFC, without invisible characters, trimmed.

    >>> tidy_line(" Ada\u200b \ufeff"), tidy_line("علی\u200cرضا") == "علی\u200cرضا"
    ('Ada', True)
    """
    return text.strip() if text.isascii() else _visible(text).strip()


def tidy_name(text: str) -> str:
    r"""Return an optional name in the form to store: empty if it has no visible character.

    >>> tidy_name(" Ada "), tidy_name("\u3164")
    ('Ada', '')
    """
    kept = tidy_line(text)
    return kept if is_visible(kept) else ""


def tidy_lines(text: str) -> str:
    r"""Return a text of several lines in the form to store: NFC, line ends as `\n`, without invisible characters."""
    text = line_ends(text)
    return _OTHER_LINE_ENDS.sub("\n", text if text.isascii() else _visible(text))


def tidy_address(text: str) -> str:
    r"""Return an email address without the spaces and invisible characters that pasting leaves at its ends.

    >>> tidy_address(" ada@example.com\u200b\n")
    'ada@example.com'
    """
    if text.isascii():
        return text.strip()
    first, last = (
        0,
        len(text),
    )  # not a regular expression: anchored at the end, it takes quadratic time on spaces
    while first < last and _INVISIBLE.match(text[first]):
        first += 1
    while first < last and _INVISIBLE.match(text[last - 1]):
        last -= 1
    return text[first:last]


def tidied(
    struct: msgspec.Struct, *, line: tuple[str, ...] = (), lines: tuple[str, ...] = (), email: str = ""
) -> None:
    """Normalize the named fields of a struct, from its `__post_init__`. None and UNSET stay unchanged."""
    for names, tidy in ((line, tidy_line), (lines, tidy_lines), ((email,) if email else (), tidy_address)):
        for name in names:
            value = getattr(struct, name)
            kept = tidy(value) if isinstance(value, str) else value
            if isinstance(value, tuple):
                kept = tuple(map(tidy, value))
            if kept != value:
                msgspec.structs.force_setattr(struct, name, kept)


def is_blank(text: str) -> bool:
    """Return whether a text consists only of spaces and invisible characters."""
    return not _INVISIBLE.sub("", text)


def is_visible(text: str) -> bool:
    r"""Return whether a text has a visible character; fillers, joiners and lone marks do not count.

    >>> is_visible("\u3164\u200b \u2800"), is_visible("Ng")
    (False, True)
    """
    return any(unicodedata.category(one)[0] in "LNPS" or _may_be_new(one) for one in _INVISIBLE.sub("", text))


def faults_of_text(value: str, *, longest: int, shortest: int = 0, lines: bool = False) -> list[str]:
    """Return what is wrong with a text. `shortest` is 0 or 1; `lines` allows tabs and line breaks."""
    faults = []
    if shortest and not is_visible(value):
        faults.append("must contain a visible character" if value.strip() else "must not be empty")
    if len(value) > longest:
        faults.append(f"must have at most {longest} characters")
    if not value.isprintable() and _unfit(lines=lines).search(value):
        faults.append(
            "must not contain control characters"
            if lines
            else "must be a single line without control characters"
        )
    return faults


def is_allowed_in_address(text: str) -> bool:
    """Return whether an address has no invisible characters. IDNA decides about joiners in a domain."""
    local, _, domain = text.rpartition("@")
    return text.isascii() or not _ignorable().search(local + re.sub("[\u200c\u200d]", "", domain))


def one_line(text: str) -> str:
    """Return a text as one line, for a header, subject or row. Line breaks and control characters become spaces."""
    if not text.isascii():
        text = _DROP.sub(lambda found: found[1] or "", text)
    return " ".join((text if text.isprintable() else _unfit(lines=False).sub(" ", text)).split())


def name_for_mail(name: str) -> str:
    """Return a name as an email may show it, or an empty string if it does not look like a name.

    Anybody can book with any name and address, so an email must not carry a stranger's message. A name
    consists of letters and marks of any script and the punctuation of names (apostrophes, hyphens, middle dots, periods
    after abbreviations and initials), up to `MAIL_NAME_WORDS` words and `MAIL_NAME_COLUMNS` columns.

    >>> name_for_mail("J. R. R. Tolkien"), name_for_mail("evil.com"), name_for_mail("Call +1 555")
    ('J. R. R. Tolkien', '', '')
    """
    name = _DIRECTION.sub("", unicodedata.normalize("NFC", one_line(name)))
    shape = "".join(_kind(one) for one in name)
    fits = _columns(name) <= MAIL_NAME_COLUMNS and name.count(" ") < MAIL_NAME_WORDS
    return name if fits and _NAME.fullmatch(shape) else ""


def quoted_name(name: str) -> str:
    """Return a stranger's text as an email to the host may quote it: letters only, shortened.

    >>> quoted_name("URGENT: call +1 555, open evil.com/login")
    'URGENT call open evil com login'
    """
    words = "".join(one if _kind(one) in "LMj" else " " for one in one_line(name)).split()
    kept = ""
    for word in words:
        if _columns(f"{kept} {word}") > MAIL_NAME_COLUMNS:
            return f"{kept} …".strip()
        kept = f"{kept} {word}".strip()
    return kept


_DIRECTION: Final = re.compile("[\u200e\u200f\u061c]")
_PUNCTUATION: Final = {
    **dict.fromkeys("'\u2018\u2019\uff07\u05f3\u05f4", "'"),
    **dict.fromkeys("-\u2010\u2011\u05be\u30a0", "-"),
    **dict.fromkeys("\u00b7\u30fb\uff65", "-"),
    **dict.fromkeys(
        "\u200c\u200d\u0f0b\u0f0c\u1361", "j"
    ),  # Tibetan syllables end in a mark, Ethiopic words in two
    ".": ".",
    " ": " ",
}
# Patterns over the kinds of characters (`_kind`): words, single letters as in "J.R.R.", and what joins them. A period
# directly before a letter ("evil.com") is not part of a name, unless that letter is an initial.
_MARKS: Final = f"M{{0,{_MAX_MARKS}}}"
_WORD: Final = f"L{_MARKS}(?:j?L{_MARKS})*j?"
_NAME: Final = re.compile(rf"'?{_WORD}(?:(?:['.]? '?|[.']?-|'){_WORD}|\.L{_MARKS}(?![LMj]))*[.']?")


def _kind(character: str) -> str:
    found = _PUNCTUATION.get(character)
    if found is not None:
        return found
    category = unicodedata.category(character)[0]
    if category == "M" or (category == "L" and not _ignorable().match(character)):
        return category
    return "?"


def _columns(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(one) in "WF") for one in text)


def _visible(text: str) -> str:
    return unicodedata.normalize("NFC", _DROP.sub(lambda found: found[1] or "", text))


@cache  # compiled at first use: it takes milliseconds, and most text is printable
def _unfit(*, lines: bool) -> re.Pattern[str]:
    return re.compile(f"[{_CONTROLS}{_NO_TEXT}{'' if lines else _BREAKS}]")


@cache
def _ignorable() -> re.Pattern[str]:
    return re.compile(f"[{_IGNORABLE}\u2800]")


def _may_be_new(character: str) -> bool:
    """Return whether a character, such as a new emoji, is missing from Python's Unicode version."""
    return unicodedata.category(character) == "Cn" and not _unfit(lines=False).match(character)
