"""A file in the import bucket, `imports/<hostId>/<eventTypeId>/<name>.csv`, and the place of its result file."""

import hashlib
import re
from typing import Final

import msgspec

from chalicelib.domain.decoding import decode_json
from chalicelib.domain.errors import FieldFault, InvalidValueError

_PLACE: Final = re.compile(r"imports/(hst_[a-z2-7]{26})/(ety_[a-z2-7]{26})/([^/]+\.[cC][sS][vV])\Z")


class ImportFile(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an object in the import bucket. Without versioning, the entity tag identifies the content."""

    bucket: str
    key: str
    version: str | None
    etag: str

    @property
    def idempotency_key(self) -> str:
        """The idempotency key of the import. It contains a NUL, so no HTTP header can have the same value."""
        return f"import\x00{self.bucket}\x00{self.key}\x00{self.version or self.etag}"

    @property
    def import_id(self) -> str:
        """The correlation id of the import."""
        return hashlib.sha256(self.idempotency_key.encode()).hexdigest()[:32]


class Place(msgspec.Struct, frozen=True):
    """The host and the event type in an object's key, and the key of the result file."""

    host_id: str
    event_type_id: str
    result_key: str


def read_import_file(body: str) -> ImportFile:
    """Return the object in S3's `Object Created` event. Raises `InvalidRequestError`."""
    detail = decode_json(body, _Event).detail
    return ImportFile(
        bucket=detail.bucket.name,
        key=detail.object.key,
        version=detail.object.version_id or None,
        etag=detail.object.etag,
    )


def place_of(key: str) -> Place:
    """Return the parts of a key. Raises `InvalidValueError` for any other key."""
    found = _PLACE.match(key)
    if found is None:
        detail = "must be imports/<hostId>/<eventTypeId>/<name>.csv"
        raise InvalidValueError([FieldFault("/key", detail)])
    host_id, event_type_id, name = found.groups()
    return Place(host_id, event_type_id, f"results/{host_id}/{event_type_id}/{name}")


class _Bucket(msgspec.Struct):
    name: str


class _Object(msgspec.Struct):
    key: str
    etag: str = ""
    version_id: str | None = msgspec.field(default=None, name="version-id")


class _Detail(msgspec.Struct):
    bucket: _Bucket
    object: _Object


class _Event(msgspec.Struct):
    detail: _Detail
