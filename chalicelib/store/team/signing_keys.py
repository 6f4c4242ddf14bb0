"""The signing keys, from Secrets Manager or given as JSON: `{"current": 1, "keys": {"1": "<base64>"}}`.

Secrets Manager can generate a secret that nobody has seen, but only as text at the top level of a document. So a new
stack starts with the text `first`: its UTF-8 bytes are key 1, as long as the document contains it.
"""

import base64
from typing import Final

import msgspec

from chalicelib.domain.tokens import Keyring

FIRST: Final = 1  # the id of the key that a new stack starts with


class _Document(msgspec.Struct):
    current: int
    keys: dict[int, str]
    first: str | None = None


def keyring_of(document: str) -> Keyring:
    """Return the keyring in a document. Raises ValueError if it is malformed."""
    read = msgspec.json.decode(document, type=_Document, strict=False)
    keys = {number: base64.b64decode(key, validate=True) for number, key in read.keys.items()}
    if read.first is not None:
        if FIRST in keys:
            raise ValueError("signing key 1 is given twice: as `first` and among `keys`")
        keys[FIRST] = read.first.encode()
    return Keyring(read.current, keys)
