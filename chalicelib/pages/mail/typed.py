"""Format typed text for an email, so that none of its lines looks like a line of the email itself."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from chalicelib.domain.text import one_line
from chalicelib.pages.languages import Words

WIDTH: Final = 72  # columns: lines up to this width are not wrapped by mail programs
_QUOTE: Final = "> "
# A URL or an address is never split. It can't look like a line of the email, such as "Where: …".
_WHOLE: Final = re.compile(r"https?://[!-~]+|[!-9;-~]+@[!-9;-~]+", re.IGNORECASE)


def typed_row(label: str, value: str, say: Words) -> str:
    """Return a label and the typed text: on one line if it fits, otherwise below the label, every line quoted.

    Mail programs wrap a long line anywhere, even after a hyphen or an invisible letter, and the rest then looks like a
    line of the email. So longer text is wrapped here, with `> ` before each line; a URL or an address is not split.
    """
    label = one_line(label)
    lines = value.strip().splitlines()  # at every Unicode line break
    if len(lines) <= 1:
        row = say("mails.row", label=label, value=one_line(value)).rstrip()
        if _width(row) <= WIDTH or _WHOLE.fullmatch(one_line(value)):
            return row
    return say("mails.row", label=label, value="").rstrip() + "\n" + quoted(value)


def quoted(value: str) -> str:
    """Return typed text wrapped to fit, with `> ` before each line."""
    lines = [piece for line in value.strip().splitlines() for piece in _broken(one_line(line))]
    return "\n".join(f"{_QUOTE}{line}".rstrip() for line in lines)


def _broken(line: str) -> Iterator[str]:
    """Split a line into pieces that fit. A long word is split anywhere, except a URL or an address."""
    room = WIDTH - len(_QUOTE)
    piece = ""
    for word in line.split(" "):
        joined = f"{piece} {word}" if piece else word
        if _width(joined) <= room:
            piece = joined
            continue
        if piece:
            yield piece
        piece = word
        while _width(piece) > room and not _WHOLE.fullmatch(piece):
            head = _head(piece, room)
            yield head
            piece = piece[len(head) :]
    yield piece


def _head(text: str, room: int) -> str:
    """Return the longest beginning of a text that fits, at least one character."""
    end, width = 0, 0
    for character in text:
        width += _width(character)
        if width > room:
            break
        end += 1
    return text[: max(end, 1)]


def _width(text: str) -> int:
    """Return the width of a text in columns. East Asian letters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
