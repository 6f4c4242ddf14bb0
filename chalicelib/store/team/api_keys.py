"""API keys in the table: found by the SHA-256 of the key, listed for the operator."""

from datetime import datetime

from pynamodb.expressions.operand import Path

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import to_millis
from chalicelib.domain.team.api_keys import ApiKey, Role, digest
from chalicelib.store.causes import audit_actions, audit_attributes
from chalicelib.store.conditions import ABSENT, EXISTS
from chalicelib.store.faults import RawItem
from chalicelib.store.items import BY_HOST, ApiKeyItem, Key, api_key_key, list_sort
from chalicelib.store.table import Table

TEAM_KEYS = "TEAM#KEY"
_PAGE = 100


class ApiKeys:
    """Reads and writes of API keys."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, secret: str) -> ApiKey | None:
        """Return the API key of a secret, revoked or not, or None."""
        item = self._table.get(ApiKeyItem, api_key_key(digest(secret)))
        return _key_of(item) if item else None

    def create(self, key: ApiKey, secret: str, cause: Cause) -> None:
        """Store a new key under its SHA-256."""
        pk, sk = api_key_key(digest(secret))
        item = ApiKeyItem(
            pk,
            sk,
            key_id=key.key_id,
            role=key.role.value,
            host_id=key.host_id,
            name=key.name or None,
            created_at=key.created_at,
            **audit_attributes(cause),
            host_key=TEAM_KEYS,
            list_sort=list_sort(key.created_at, key.key_id),
        )
        self._table.put(item, ABSENT)

    def all(self) -> list[ApiKey]:
        """Return every key, including revoked keys, newest first."""
        return [key for _, key in self._all()]

    def revoke(self, key_id: str, cause: Cause, *, now: datetime) -> bool:
        """Revoke a key by its public id; return False if there is none."""
        for at, key in self._all():
            if key.key_id == key_id:
                actions = [
                    Path("revokedAt").set(to_millis(key.revoked_at or now)),
                    *audit_actions(cause),
                ]
                self._table.update(at, actions, EXISTS)
                return True
        return False

    def _all(self) -> list[tuple[Key, ApiKey]]:
        found: list[tuple[Key, ApiKey]] = []
        before: str | None = None
        while True:
            condition = None if before is None else Path("listSort") < before
            entries = self._table.index_page(BY_HOST, TEAM_KEYS, condition, _PAGE)
            keys = [(entry["pk"], entry["sk"]) for entry in entries]
            items: dict[Key, RawItem] = self._table.get_many(keys)
            found += [(key, _key_of(ApiKeyItem.from_raw_data(items[key]))) for key in keys if key in items]
            if len(entries) < _PAGE:
                return found
            before = entries[-1]["listSort"]


def _key_of(item: ApiKeyItem) -> ApiKey:
    return ApiKey(
        key_id=item.key_id,
        role=Role(item.role),
        host_id=item.host_id,
        name=item.name or "",
        created_at=item.created_at,
        revoked_at=item.revoked_at,
    )
