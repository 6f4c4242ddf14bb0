"""JSON into a struct, strictly; what is wrong with it is told with where it stands."""

import re
from typing import Final, TypeVar

import msgspec

from chalicelib.domain.errors import FieldFault, InvalidRequestError

_PATH_TOO: Final = re.compile(r" - at `\$?([^`]*)`\Z")

_T = TypeVar("_T")


def decode_json(raw: bytes | str | msgspec.Raw, kind: type[_T], pointer: str = "") -> _T:
    """Return a JSON text as a struct; `pointer` is where it stands in what was sent.

    Raises `InvalidRequestError` that points at what is wrong.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise InvalidRequestError([_fault(str(error), pointer)]) from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidRequestError([FieldFault(pointer, f"is not JSON: {error}")]) from error
    except RecursionError as error:
        raise InvalidRequestError([FieldFault(pointer, "is nested too deeply")]) from error


def _fault(message: str, pointer: str) -> FieldFault:
    """Turn msgspec's `… - at `$.a[0].b`` into a JSON Pointer and a detail."""
    place = _PATH_TOO.search(message)
    detail = message[: place.start()] if place else message
    parts = re.findall(r"[^.\[\]]+", place.group(1)) if place else []
    return FieldFault(pointer + "".join(f"/{part}" for part in parts), detail)
