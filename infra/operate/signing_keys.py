"""`make rotate-keys`: change the signing key in three steps, without breaking a link (P7).

A warm function reloads the keys after some minutes. Therefore a key is first added (`add`), and signs only when every
function has loaded it (`use`). The old key is removed when no existing link or booking is signed with it (`retire`).
See docs/operate.md.
"""

import argparse
import base64
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chalicelib.store.team.keyring_cache import KEYRING_AGE
from chalicelib.store.team.signing_keys import FIRST, keyring_of
from infra.errors import CommandError
from infra.stack.account import DeployError, explained, open_account
from infra.stack.stage import read_stage, stage_settings

_KNOWN_AFTER: Final = KEYRING_AGE + timedelta(minutes=1)
_KEY_BYTES: Final = 32
_MAX_KEYS: Final = 255

Secrets = Any
"""A botocore client of Secrets Manager."""


def add_key(secrets: Secrets, secret_id: str, random_bytes: Callable[[int], bytes] = os.urandom) -> int:
    """Add a key that signs nothing yet; return its id. Raise `DeployError`."""
    document = _read(secrets, secret_id)
    keys = keyring_of(json.dumps(document)).keys
    if max(keys) != int(document["current"]):
        raise DeployError(f"Key {max(keys)} is already added and signs nothing yet: STEP=use is next.")
    number = next((n for n in range(max(keys) + 1, _MAX_KEYS + 1) if n not in keys), None)
    if number is None:
        raise DeployError("The newest key has the last id, 255, so no key can be added; see docs/operate.md.")
    document["keys"][str(number)] = base64.b64encode(random_bytes(_KEY_BYTES)).decode()
    _write(secrets, secret_id, document)
    return number


def use_newest(secrets: Secrets, secret_id: str, now: datetime) -> int:
    """Sign with the newest key from now on; return its id. Raise `DeployError` while a function may lack the key."""
    document = _read(secrets, secret_id)
    newest = max(keyring_of(json.dumps(document)).keys)
    if newest == int(document["current"]):
        raise DeployError(f"Key {newest} signs already: STEP=add comes first.")
    changed = secrets.describe_secret(SecretId=secret_id)["LastChangedDate"]
    known = changed.astimezone(UTC) + _KNOWN_AFTER
    if now < known:
        raise DeployError(
            f"A warm function may not have key {newest} before {known:%H:%M:%S} UTC; wait until then."
        )
    document["current"] = newest
    _write(secrets, secret_id, document)
    return newest


def retire_key(secrets: Secrets, secret_id: str, key_id: int, carriers: dict[str, int]) -> None:
    """Remove a key that no longer signs. Raise `DeployError` while it has signed existing links or bookings."""
    document = _read(secrets, secret_id)
    ring = keyring_of(json.dumps(document))
    if key_id not in ring.keys:
        existing = ", ".join(str(number) for number in sorted(ring.keys))
        raise DeployError(f"There is no key {key_id}; the secret has {existing}.")
    if key_id == ring.current:
        raise DeployError(f"Key {key_id} signs new tokens: run STEP=add and STEP=use first.")
    if any(carriers.values()):
        carrying = " and ".join(f"{count} {kind}" for kind, count in carriers.items() if count)
        raise DeployError(f"{carrying} still carry key {key_id}; their URLs would stop working.")
    if document["keys"].pop(str(key_id), None) is None and key_id == FIRST:
        del document["first"]
    _write(secrets, secret_id, document)


def count_carriers(dynamodb: Any, table: str, key_id: int) -> dict[str, int]:
    """Return the number of links and bookings that a key has signed. This scans the whole table."""
    found = {"links": 0, "bookings": 0}
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="keyId = :key",
        ProjectionExpression="sk",
        ExpressionAttributeValues={":key": {"N": str(key_id)}},
    )
    for page in pages:
        for item in page["Items"]:
            found["links" if item["sk"]["S"] == "LINK" else "bookings"] += 1
    return found


def _read(secrets: Secrets, secret_id: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(secrets.get_secret_value(SecretId=secret_id)["SecretString"])
    return document


def _write(secrets: Secrets, secret_id: str, document: dict[str, Any]) -> None:
    text = json.dumps(document)
    keyring_of(text)  # raises if the app couldn't read the result
    secrets.put_secret_value(SecretId=secret_id, SecretString=text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; return the exit status."""
    given = _parse(arguments)
    try:
        with explained():
            account = open_account()
            settings = stage_settings(account, read_stage(given.stage))
            secrets, secret_id = account.client("secretsmanager"), settings["SIGNING_SECRET_ID"]
            if given.step == "add":
                number = add_key(secrets, secret_id)
                minutes = int(_KNOWN_AFTER.total_seconds() // 60)
                print(
                    f"Key {number} is added. In {minutes} minutes: make rotate-keys STAGE={given.stage} STEP=use"
                )
            elif given.step == "use":
                number = use_newest(secrets, secret_id, datetime.now(UTC))
                print(f"Key {number} signs from now on; existing links keep working.")
            else:
                carriers = count_carriers(account.client("dynamodb"), settings["TABLE_NAME"], given.key)
                retire_key(secrets, secret_id, given.key, carriers)
                print(f"Key {given.key} is removed.")
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make rotate-keys", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--step", choices=["add", "use", "retire"], required=True)
    parser.add_argument("--key", type=int, help="the id of the key to retire")
    given = parser.parse_args(arguments)
    if given.step == "retire" and given.key is None:
        parser.error("set the id of the key to retire: KEY=1")
    return given


if __name__ == "__main__":
    sys.exit(main())
