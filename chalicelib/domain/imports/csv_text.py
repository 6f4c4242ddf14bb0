"""CSV text: bytes to records, strictly, and records to text that no spreadsheet runs (RFC 4180, CSV injection)."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from chalicelib.domain.errors import CellFault, InvalidRequestError
from chalicelib.domain.text import is_blank, line_ends

BOM: Final = "\ufeff"  # makes Excel read the file as UTF-8
_LOST: Final = "\ufffd"  # API Gateway hands on what was not UTF-8 as this
_DELIMITERS: Final = ",;\t"  # Excel writes semicolons where the comma is the decimal sign
_QUOTED: Final = re.compile(r'"[^"]*(?:"|\Z)')
# A first line that Excel writes and reads.
_HINT: Final = re.compile(r"sep=([,;\t])(?:\r\n?|\n)", re.IGNORECASE)
_NOT_UTF8: Final = "is not UTF-8; save the file as “CSV UTF-8”"
_FORMATS: Final = (  # the first bytes of files that are not UTF-8 text
    (b"\xff\xfe", "is UTF-16, not UTF-8; save the file as “CSV UTF-8”"),
    (b"\xfe\xff", "is UTF-16, not UTF-8; save the file as “CSV UTF-8”"),
    (b"PK\x03\x04", "is a workbook, not CSV; save the file as “CSV UTF-8”"),
    (b"\xd0\xcf\x11\xe0", "is a workbook, not CSV; save the file as “CSV UTF-8”"),
)
# Spaces before the sign are no defence everywhere; an apostrophe before it is doubled, so that each cell has one form.
_FORMULA: Final = re.compile(r"'*[\s\ufeff]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


class Record(msgspec.Struct, frozen=True):
    """One row of a file: the line on which it begins, counted from 1, and its cells."""

    line: int
    cells: Sequence[str]


def decode_csv(raw: bytes) -> str:
    """Return the text of a file, without its byte order mark. Raises `InvalidRequestError`, naming the line."""
    for mark, detail in _FORMATS:
        if raw.startswith(mark):
            raise broken(1, detail)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise broken(raw.count(b"\n", 0, error.start) + 1, _NOT_UTF8) from None
    for sign, detail in (("\0", _NOT_UTF8 + " (it has NUL characters)"), (_LOST, _NOT_UTF8)):
        place = text.find(sign)
        if place >= 0:
            raise broken(text.count("\n", 0, place) + 1, detail)
    return text.removeprefix(BOM)


def read_csv(text: str, delimiter: str | None = None) -> Iterator[Record]:
    r"""Yield the records of a CSV text, without lines that contain nothing visible.

    Without `delimiter`, the header decides: commas, semicolons or tabs; quotes as in RFC 4180. Lines end in LF, CRLF
    or CR; within a cell, each of them becomes `\n`.

    Raises `InvalidRequestError`, naming the line: a quote that is never closed, or a cell over 131,072 characters.
    """
    hint = _HINT.match(text)
    above = 1 if hint else 0
    rest = text[hint.end() :] if hint else text
    sign = hint.group(1) if hint else delimiter or _delimiter_of(rest)
    reader = csv.reader(io.StringIO(rest, newline=""), delimiter=sign, strict=True)
    while True:
        line = reader.line_num + 1 + above
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise broken(line, f"is not CSV: {_words(error)}") from None
        if not all(map(is_blank, cells)):
            yield Record(line, [line_ends(armed(cell)) for cell in cells])


def write_csv(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV: every cell quoted, none that a spreadsheet takes for a formula, lines ended by CRLF."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([disarmed(cell) for cell in row] for row in rows)
    return text.getvalue()


def disarmed(cell: str) -> str:
    """Return a cell as text to any spreadsheet: an apostrophe before what would begin a formula.

    >>> disarmed("=1+1"), disarmed("Ada")
    ("'=1+1", 'Ada')
    """
    return "'" + cell if _FORMULA.match(cell) else cell


def armed(cell: str) -> str:
    """Return what `disarmed` was given.

    >>> armed(disarmed("+49 30 1234")), armed("'tis")
    ('+49 30 1234', "'tis")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def broken(line: int, detail: str, column: str | None = None) -> InvalidRequestError:
    """Return the error of a file that can't be read on from a line."""
    return InvalidRequestError([CellFault("", detail, line, column)], f"Line {line} {detail}.")


def _delimiter_of(text: str) -> str:
    header = _QUOTED.sub("", re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0])
    return max(_DELIMITERS, key=header.count)


def _words(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        return "a quote is opened and never closed"
    if "expected after" in str(error):
        return "after a closing quote comes neither a delimiter nor the end of the line"
    return str(error)
