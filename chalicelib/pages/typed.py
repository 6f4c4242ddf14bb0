"""Text that somebody typed, as plain text shows it: no line of theirs can be taken for one of ours."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from chalicelib.domain.text import one_line
from chalicelib.pages.languages import Words

WIDTH: Final = 72  # columns: what a mail program shows without a break of its own
_QUOTE: Final = "> "
# What is no use in pieces: a URL, an address. Neither begins as a line of ours does: "Where:".
_WHOLE: Final = re.compile(r"https?://[!-~]+|[!-9;-~]+@[!-9;-~]+", re.IGNORECASE)


def typed_row(label: str, value: str, say: Words) -> str:
    """Return a label and what was typed: on one line where it fits, else below it, every line quoted.

    A mail program breaks a long line where it likes, also behind a hyphen or a blank letter, and what comes after looks
    like a line of its own. So what doesn't fit is broken here, behind a mark; a URL or an address stays whole.
    """
    label = one_line(label)
    lines = value.strip().splitlines()  # at every line break that Unicode knows
    if len(lines) <= 1:
        row = say("mails.row", label=label, value=one_line(value)).rstrip()
        if _width(row) <= WIDTH or _WHOLE.fullmatch(one_line(value)):
            return row
    return say("mails.row", label=label, value="").rstrip() + "\n" + quoted(value)


def quoted(value: str) -> str:
    """Return what was typed with a mark before each line, broken to fit."""
    lines = [piece for line in value.strip().splitlines() for piece in _broken(one_line(line))]
    return "\n".join(f"{_QUOTE}{line}".rstrip() for line in lines)


def _broken(line: str) -> Iterator[str]:
    """Yield a line in pieces that fit. A word is broken anywhere where it has to be; a URL or an address nowhere."""
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
    """Return as much of a text's beginning as fits, and at least one character."""
    end, width = 0, 0
    for character in text:
        width += _width(character)
        if width > room:
            break
        end += 1
    return text[: max(end, 1)]


def _width(text: str) -> int:
    """Return how many columns a text takes: East Asian letters are two wide."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
