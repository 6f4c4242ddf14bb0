r"""JSON into a struct, strictly; what is wrong with it is told with where it stands.

Line ends in strings become `\n` here, before anything is checked, hashed or stored: a browser's form sends CRLF for
the same keystroke. Forms (`Call.form`) and CSV cells (`read_csv`) do the same with `line_ends`.
"""

import re
from typing import Final, TypeVar

import msgspec

from chalicelib.domain.errors import FieldFault, InvalidRequestError

_PATH_TOO: Final = re.compile(r" - at `\$?([^`]*)`\Z")

# Every escape of a JSON text in its turn, so that an escaped backslash before an r is no CR. Group 1 is CR, or CRLF.
_ESCAPES: Final = re.compile(r"\\(?:((?:r|u000[dD])(?:\\n|\\u000[aA])?)|.)", re.DOTALL)

_T = TypeVar("_T")


def decode_json(raw: bytes | str | msgspec.Raw, kind: type[_T], pointer: str = "") -> _T:
    """Return a JSON text as a struct; `pointer` is where it stands in what was sent.

    Raises `InvalidRequestError` that points at what is wrong.
    """
    try:
        return msgspec.json.decode(_with_line_ends(raw), type=kind)
    except msgspec.ValidationError as error:
        raise InvalidRequestError([_fault(str(error), pointer)]) from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidRequestError([FieldFault(pointer, f"is not JSON: {error}")]) from error
    except RecursionError as error:
        raise InvalidRequestError([FieldFault(pointer, "is nested too deeply")]) from error


def _with_line_ends(raw: bytes | str | msgspec.Raw) -> bytes | str:
    r"""Return a JSON text in which each line end within a string is written `\n`."""
    text = raw if isinstance(raw, str) else bytes(raw).decode()
    if "\\r" not in text and "\\u000" not in text:
        return text if isinstance(raw, str) else bytes(raw)
    return _ESCAPES.sub(lambda found: "\\n" if found[1] else found[0], text)


def _fault(message: str, pointer: str) -> FieldFault:
    """Turn msgspec's `… - at `$.a[0].b`` into a JSON Pointer and a detail."""
    place = _PATH_TOO.search(message)
    detail = message[: place.start()] if place else message
    parts = re.findall(r"[^.\[\]]+", place.group(1)) if place else []
    return FieldFault(pointer + "".join(f"/{part}" for part in parts), detail)
