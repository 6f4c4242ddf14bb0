"""Keep revoked API keys revoked after a restore: the revocations come from the old table, not from events (P9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import AdmitOneError
from chalicelib.domain.team.api_keys import ApiKey
from chalicelib.store.table import Table
from chalicelib.store.team.api_keys import ApiKeys
from infra.stack.account import Account, DeployError, find_table

_CAUSE = Cause("system:restore", "restore")


@dataclass(frozen=True)
class CopiedRevocations:
    """Keys that stay revoked, and active keys that the restored table lacks because they were created later."""

    revoked: list[ApiKey]
    missing: list[ApiKey]


def copy_revocations(account: Account, source: str, target: str, since: datetime) -> CopiedRevocations | None:
    """Revoke each key in `target` that is revoked in `source`; return None if `source` is gone.

    The result has the keys that were revoked since a moment, also if an earlier run copied them. Nothing else is
    copied: a key that an attacker created must not survive a restore.
    Raise `DeployError` if a table can't be read or written.
    """
    if find_table(account, source) is None:
        return None
    since = since.replace(microsecond=0)  # the precision of the table
    old, new = (ApiKeys(Table(name, region=account.region)) for name in (source, target))
    try:
        present = {key.key_id: key for key in new.all()}
        revoked, missing = [], []
        for key in old.all():
            if key.key_id not in present:
                if key.revoked_at is None:
                    missing.append(key)
            elif key.revoked_at is not None:
                is_active = present[key.key_id].revoked_at is None
                if is_active:
                    new.revoke(key.key_id, _CAUSE, now=key.revoked_at)
                if is_active or key.revoked_at >= since:
                    revoked.append(key)
    except AdmitOneError as error:
        raise DeployError(f"The keys of {source} can't be copied: {error.detail}") from error
    return CopiedRevocations(revoked, missing)


def revocation_sources(account: Account, found: Mapping[str, str], table: str) -> list[str]:
    """Return the tables that contain the revocations: the restored table's source, and the stack's current table.

    After the swap, the current table is the restored table itself, which is left out.
    """
    described = find_table(account, table) or {}
    arn: str = described.get("RestoreSummary", {}).get("SourceTableArn", "")
    return sorted({arn.rpartition("/")[2], found["TableName"]} - {"", table})


def copy_all_revocations(
    account: Account, sources: Sequence[str], table: str, since: datetime
) -> CopiedRevocations | None:
    """Copy the revocations of every source to `table`. Return None if a source is gone or there is no source."""
    copied = [copy_revocations(account, source, table, since) for source in sources]
    known = [each for each in copied if each is not None]
    if not known or len(known) < len(copied):
        return None
    revoked = {key.key_id: key for each in known for key in each.revoked}
    missing = {key.key_id: key for each in known for key in each.missing}
    return CopiedRevocations(list(revoked.values()), list(missing.values()))
