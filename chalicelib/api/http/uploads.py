"""Read the file that a form posts (`multipart/form-data`, RFC 7578): one file and no other field."""

import re
from typing import Final

import msgspec

from chalicelib.domain.errors import FieldFault, InvalidRequestError

MULTIPART: Final = "multipart/form-data"

_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_FILE: Final = re.compile(
    rb"^content-disposition:\s*form-data\b[^\r\n]*;\s*filename\*?=", re.IGNORECASE | re.MULTILINE
)
_TYPE: Final = re.compile(rb"^content-type:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


class Upload(msgspec.Struct, frozen=True):
    """A posted file: its bytes, and its content type, which is empty if the form specifies none."""

    content_type: str
    raw: bytes


def read_upload(content_type: str, body: bytes) -> Upload:
    """Return the file of a posted form. Raises `InvalidRequestError` unless the form has exactly one file."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise _fault("the Content-Type must have a boundary")
    # The part before the first boundary, the file, and the part after the last boundary.
    parts = (b"\r\n" + body).split(b"\r\n--" + (found[1] or found[2]).encode(), 3)
    if len(parts) != 3 or not parts[-1].startswith(b"--"):
        raise _fault("the form must be complete, with one file and no other field")
    head, blank, raw = parts[1].removeprefix(b"\r\n").partition(b"\r\n\r\n")
    if not blank or not _FILE.search(head):
        raise _fault("the form must have a file")
    kind = _TYPE.search(head)
    return Upload(kind[1].decode("latin-1") if kind else "", raw)


def _fault(detail: str) -> InvalidRequestError:
    return InvalidRequestError([FieldFault("", detail)])
