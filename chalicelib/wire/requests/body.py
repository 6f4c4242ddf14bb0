"""The base of all request bodies: camelCase names, unknown fields rejected, absent fields distinct from null."""

from typing import Any

import msgspec
from msgspec import UNSET


class Body(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True, frozen=True):
    """A request body."""


def given_fields(body: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that are present in a body, by attribute name."""
    fields = {name: getattr(body, name) for name in body.__struct_fields__}
    return {name: value for name, value in fields.items() if value is not UNSET}
