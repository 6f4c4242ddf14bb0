"""API keys over a restore: what was revoked stays revoked. No event tells of keys, but the old table does (P9)."""

from dataclasses import dataclass

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import AdmitOneError
from chalicelib.domain.team.api_keys import ApiKey
from chalicelib.store.table import Table
from chalicelib.store.team.api_keys import ApiKeys
from infra.deploy.deploy import Account, DeployError, find_table

_CAUSE = Cause("system:restore", "restore")


@dataclass(frozen=True)
class Carried:
    """Keys that are revoked again, and good keys that the restored table does not have: they were made since."""

    revoked: list[ApiKey]
    lost: list[ApiKey]


def carry_revocations(account: Account, source: str, target: str) -> Carried | None:
    """Revoke in one table each key that is revoked in another; None where that other one is gone.

    Nothing else is carried: a key that somebody made who should not have must not come through a restore.
    Raises `DeployError` where a table does not answer.
    """
    if find_table(account, source) is None:
        return None
    old, new = (ApiKeys(Table(name, region=account.region)) for name in (source, target))
    try:
        there = {key.key_id: key for key in new.all()}
        revoked, lost = [], []
        for key in old.all():
            if key.key_id not in there:
                if key.revoked_at is None:
                    lost.append(key)
            elif key.revoked_at is not None and there[key.key_id].revoked_at is None:
                new.revoke(key.key_id, _CAUSE, now=key.revoked_at)
                revoked.append(key)
    except AdmitOneError as error:
        raise DeployError(f"The keys of {source} can't be carried over: {error.detail}") from error
    return Carried(revoked, lost)
