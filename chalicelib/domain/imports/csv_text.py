"""Read CSV strictly (RFC 4180), and write CSV with escaped formulas, against CSV injection."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from chalicelib.domain.errors import CellFault, InvalidRequestError
from chalicelib.domain.text import is_blank, line_ends

BOM: Final = "\ufeff"  # Excel needs it to read a file as UTF-8
_REPLACEMENT: Final = "\ufffd"  # API Gateway replaces bytes that are not UTF-8 with this character
_DELIMITERS: Final = ",;\t"  # Excel writes semicolons where commas are decimal signs
_QUOTED: Final = re.compile(r'"[^"]*(?:"|\Z)')
# An optional first line that names the delimiter for Excel.
_HINT: Final = re.compile(r"sep=([,;\t])(?:\r\n?|\n)", re.IGNORECASE)
_NOT_UTF8: Final = "is not UTF-8; save the file as “CSV UTF-8”"
_FORMATS: Final = (  # the first bytes of files that are not UTF-8 text
    (b"\xff\xfe", "is UTF-16, not UTF-8; save the file as “CSV UTF-8”"),
    (b"\xfe\xff", "is UTF-16, not UTF-8; save the file as “CSV UTF-8”"),
    (b"PK\x03\x04", "is a workbook, not CSV; save the file as “CSV UTF-8”"),
    (b"\xd0\xcf\x11\xe0", "is a workbook, not CSV; save the file as “CSV UTF-8”"),
)
# Some spreadsheets ignore spaces before the sign. An existing apostrophe is doubled, so that
# `unescaped` is unambiguous.
_FORMULA: Final = re.compile(r"'*[\s\ufeff]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


class Record(msgspec.Struct, frozen=True):
    """One record of a file: the line on which it begins, counted from 1, and its cells."""

    line: int
    cells: Sequence[str]


def decode_csv(raw: bytes) -> str:
    """Return a file's text without its byte order mark. Raises `InvalidRequestError` with the faulty line."""
    for mark, detail in _FORMATS:
        if raw.startswith(mark):
            raise broken(1, detail)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise broken(raw.count(b"\n", 0, error.start) + 1, _NOT_UTF8) from None
    for sign, detail in (("\0", _NOT_UTF8 + " (it contains NUL characters)"), (_REPLACEMENT, _NOT_UTF8)):
        place = text.find(sign)
        if place >= 0:
            raise broken(text.count("\n", 0, place) + 1, detail)
    return text.removeprefix(BOM)


def read_csv(text: str, delimiter: str | None = None) -> Iterator[Record]:
    r"""Yield the records of a CSV text, without blank lines.

    Without `delimiter`, the header decides: commas, semicolons or tabs. Lines end in LF, CRLF or CR; within a cell,
    each of them becomes `\n`.

    Raises `InvalidRequestError` with the faulty line, e.g. for a missing closing quote or a cell over 131,072
    characters.
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
            yield Record(line, [line_ends(unescaped(cell)) for cell in cells])


def write_csv(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV with CRLF line ends. Every cell is quoted, and formulas are escaped."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([escaped(cell) for cell in row] for row in rows)
    return text.getvalue()


def escaped(cell: str) -> str:
    """Return a cell with an apostrophe before anything that a spreadsheet would run as a formula.

    >>> escaped("=1+1"), escaped("Ada")
    ("'=1+1", 'Ada')
    """
    return "'" + cell if _FORMULA.match(cell) else cell


def unescaped(cell: str) -> str:
    """Return the cell that was passed to `escaped`.

    >>> unescaped(escaped("+49 30 1234")), unescaped("'tis")
    ('+49 30 1234', "'tis")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def broken(line: int, detail: str, column: str | None = None) -> InvalidRequestError:
    """Return the error for a file that is faulty at a line."""
    return InvalidRequestError([CellFault("", detail, line, column)], f"Line {line} {detail}.")


def _delimiter_of(text: str) -> str:
    header = _QUOTED.sub("", re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0])
    return max(_DELIMITERS, key=header.count)


def _words(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        return "a quote is never closed"
    if "expected after" in str(error):
        return "a delimiter or the end of the line must follow a closing quote"
    return str(error)
