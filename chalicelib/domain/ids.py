"""Public ids: a prefix for the kind and 128 bits in lower-case base32. They are safe to log."""

import base64
import re
from typing import Final

ID_BYTES: Final = 16

HOST: Final = "hst"
EVENT_TYPE: Final = "ety"
LINK: Final = "lnk"
BOOKING: Final = "bkg"
API_KEY: Final = "key"
WEBHOOK: Final = "whk"
DELIVERY: Final = "dlv"

_FORM: Final = re.compile(r"[a-z]{3}_[a-z2-7]{26}\Z")


def id_pattern(kind: str) -> str:
    """Return a regular expression for ids of a kind, anchored at both ends."""
    return f"^{kind}_[a-z2-7]{{26}}$"


def make_id(kind: str, raw: bytes) -> str:
    """Return the id of a kind for 16 bytes, e.g. `lnk_aebagbafaydqqcikbmga2dqpca`."""
    if len(raw) != ID_BYTES:
        raise ValueError(f"an id needs {ID_BYTES} bytes, not {len(raw)}")
    return f"{kind}_{base64.b32encode(raw).decode().rstrip('=').lower()}"


def id_bytes(kind: str, value: str) -> bytes | None:
    """Return the 16 bytes of an id of that kind, or None if `value` is not exactly such an id."""
    if not _FORM.match(value) or value[:3] != kind:
        return None
    raw = base64.b32decode(value[4:].upper() + "======")
    return raw if make_id(kind, raw) == value else None


def is_id(kind: str, value: str) -> bool:
    """Return whether `value` is a well-formed id of that kind."""
    return id_bytes(kind, value) is not None
