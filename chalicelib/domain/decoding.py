r"""Decode JSON into a struct, strictly. Errors point to the faulty field.

Line ends in strings become `\n` before the text is checked, hashed or stored, because a browser's form sends CRLF for
the same keystroke. Forms (`Call.form`) and CSV cells (`read_csv`) do the same with `line_ends`.
"""

import re
from typing import Final, TypeVar

import msgspec

from chalicelib.domain.errors import FieldFault, InvalidRequestError

_PATH: Final = re.compile(r" - at `\$?([^`]*)`\Z")

_T = TypeVar("_T")


def decode_json(raw: bytes | str | msgspec.Raw, kind: type[_T], pointer: str = "") -> _T:
    """Return a JSON text as a struct; `pointer` is the text's place in the request.

    Raises `InvalidRequestError` with a pointer to the faulty field.
    """
    try:
        return msgspec.json.decode(_with_line_ends(raw), type=kind)
    except msgspec.ValidationError as error:
        raise InvalidRequestError([_fault(str(error), pointer)]) from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidRequestError([FieldFault(pointer, f"is not JSON: {error}")]) from error
    except RecursionError as error:
        raise InvalidRequestError([FieldFault(pointer, "is nested too deeply")]) from error


def _with_line_ends(raw: bytes | str | msgspec.Raw) -> str:
    r"""Return a JSON text with each line end within a string as `\n`."""
    text = raw if isinstance(raw, str) else bytes(raw).decode()
    if "\\r" not in text and "\\u000" not in text:
        return text
    if "\0" in text:  # invalid in JSON, and the placeholder for an escaped backslash below
        return text
    text = text.replace("\\\\", "\0")
    for written, short in (("\\u000d", "\\r"), ("\\u000D", "\\r"), ("\\u000a", "\\n"), ("\\u000A", "\\n")):
        text = text.replace(written, short)
    return text.replace("\\r\\n", "\\n").replace("\\r", "\\n").replace("\0", "\\\\")


def _fault(message: str, pointer: str) -> FieldFault:
    """Turn msgspec's `… - at `$.a[0].b`` into a JSON Pointer and a detail."""
    place = _PATH.search(message)
    detail = message[: place.start()] if place else message
    parts = re.findall(r"[^.\[\]]+", place.group(1)) if place else []
    return FieldFault(pointer + "".join(f"/{part}" for part in parts), detail)
