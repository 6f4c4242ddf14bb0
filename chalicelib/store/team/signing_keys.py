"""The signing keys, from Secrets Manager or given as JSON: `{"current": 1, "keys": {"1": "<base64>"}}`.

Secrets Manager can make a secret that nobody has seen, but only as text at the top of a document. So the key that a
new stack starts with is `first`: the UTF-8 bytes of that text are key 1, while the document contains it.
"""

import base64
from typing import Any, Final

import msgspec

from chalicelib.domain.tokens import Keyring
from chalicelib.store.faults import translated

FIRST: Final = 1  # the id of the key that a new stack starts with


class _Document(msgspec.Struct):
    current: int
    keys: dict[int, str]
    first: str | None = None


def keyring_of(document: str) -> Keyring:
    """Return the keyring a document describes. Raises ValueError when it does not describe one."""
    read = msgspec.json.decode(document, type=_Document, strict=False)
    keys = {number: base64.b64decode(key, validate=True) for number, key in read.keys.items()}
    if read.first is not None:
        if FIRST in keys:
            raise ValueError("signing key 1 is given twice: as `first` and among `keys`")
        keys[FIRST] = read.first.encode()
    return Keyring(read.current, keys)


def fetch_keyring(session: Any, secret_id: str) -> Keyring:
    """Return the keyring kept in Secrets Manager. Raises `StoreUnavailableError` when it does not answer."""
    client = session.create_client("secretsmanager")
    with translated():
        return keyring_of(client.get_secret_value(SecretId=secret_id)["SecretString"])
