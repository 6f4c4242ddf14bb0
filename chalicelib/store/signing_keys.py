"""The signing keys, from Secrets Manager or given as JSON: `{"current": 1, "keys": {"1": "<base64>"}}`."""

import base64
from typing import Any

import msgspec

from chalicelib.domain.tokens import Keyring
from chalicelib.store.faults import translated


class _Document(msgspec.Struct):
    current: int
    keys: dict[int, str]


def keyring_of(document: str) -> Keyring:
    """Return the keyring a document describes. Raises ValueError when it does not describe one."""
    read = msgspec.json.decode(document, type=_Document, strict=False)
    return Keyring(
        read.current, {number: base64.b64decode(key, validate=True) for number, key in read.keys.items()}
    )


def fetch_keyring(session: Any, secret_id: str) -> Keyring:
    """Return the keyring kept in Secrets Manager. Raises `StoreUnavailableError` when it does not answer."""
    client = session.create_client("secretsmanager")
    with translated():
        return keyring_of(client.get_secret_value(SecretId=secret_id)["SecretString"])
