"""Custom PynamoDB attribute types: instants as milliseconds, documents as JSON text."""

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from pynamodb.attributes import Attribute
from pynamodb.constants import NUMBER, STRING

from chalicelib.domain.clock import from_millis, to_millis

_T = TypeVar("_T")


class InstantAttribute(Attribute[datetime]):
    """An aware UTC datetime, stored as a number of milliseconds since 1970."""

    attr_type = NUMBER

    def serialize(self, value: datetime) -> str:
        return str(to_millis(value))

    def deserialize(self, value: str) -> datetime:
        return from_millis(int(value))


class DocumentAttribute(Attribute[_T], Generic[_T]):
    """A struct or plain JSON value, stored as JSON text because it is only read and written whole."""

    attr_type = STRING

    def __init__(self, kind: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._decoder = msgspec.json.Decoder(kind)

    def serialize(self, value: _T) -> str:
        return msgspec.json.encode(value).decode()

    def deserialize(self, value: str) -> _T:
        decoded: _T = self._decoder.decode(value)
        return decoded
