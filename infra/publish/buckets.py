"""The regional buckets of published releases: who may read them, and objects that are never replaced."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.deploy.bucket import create_bucket, protect_bucket
from infra.errors import CommandError
from infra.stack.account import Account

FOLDER: Final = "admit-one/"
PUBLIC: Final = "public"
NOBODY: Final = "none"
_READERS: Final = "Readers"
_ACCOUNT: Final = re.compile(r"\d{12}")
_ORGANIZATION: Final = re.compile(r"o-[a-z0-9]{10,32}")
_OTHER: Final = frozenset({403, 404})


class PublishError(CommandError):
    """A release can't be published. The message contains the reason and what to do."""


@dataclass(frozen=True)
class Readers:
    """Who may read published objects, besides the bucket's own account."""

    accounts: tuple[str, ...] = ()
    organization: str | None = None
    everybody: bool = False

    def statement(self, bucket: str, partition: str) -> dict[str, Any] | None:
        """Return the statement of the bucket's policy that lets them read; None if there are none."""
        statement: dict[str, Any] = {
            "Sid": _READERS,
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:{partition}:s3:::{bucket}/{FOLDER}*",
        }
        if self.accounts:
            statement["Principal"] = {"AWS": [f"arn:{partition}:iam::{each}:root" for each in self.accounts]}
        elif self.organization:
            statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": self.organization}}
        elif not self.everybody:
            return None
        return statement


def parse_readers(text: str) -> Readers | None:
    """Return the readers that `READERS` names; None if it is empty: readers then stay as they are.

    Raise `PublishError` unless it is account ids, one organization's id, `public` or `none`.
    """
    words = text.replace(",", " ").split()
    if not words:
        return None
    if words == [NOBODY]:
        return Readers()
    if words == [PUBLIC]:
        return Readers(everybody=True)
    if len(words) == 1 and _ORGANIZATION.fullmatch(words[0]):
        return Readers(organization=words[0])
    if all(_ACCOUNT.fullmatch(word) for word in words):
        return Readers(accounts=tuple(words))
    raise PublishError(
        f"READERS={text!r} must be account ids (12 digits each), the id of one organization (o-…), public, or none."
    )


def ready_bucket(account: Account, name: str, readers: Readers | None) -> None:
    """Create the bucket if it is missing, protect it, and let `readers` read it. Raise `PublishError`."""
    s3 = account.client("s3")
    owner = {"Bucket": name, "ExpectedBucketOwner": account.account_id}
    try:
        s3.head_bucket(**owner)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status not in _OTHER:
            raise
        if status == 403:
            raise PublishError(
                f"The bucket {name} belongs to another account, or these credentials may not use it. Bucket names are "
                "unique in all of AWS: choose another BUCKET=…"
            ) from error
        create_bucket(account, s3, name)
    protect_bucket(s3, name, account.account_id, keep_public_access=readers is None)
    s3.put_bucket_versioning(**owner, VersioningConfiguration={"Status": "Enabled"})
    if readers is not None:
        _set_readers(s3, owner, readers, account)


def put_new(
    s3: Any,
    bucket: str,
    key: str,
    body: bytes,
    owner: Mapping[str, str],
    same: Callable[[bytes], bool] | None = None,
) -> bool:
    """Put an object unless it exists; return whether it is new. Raise `PublishError` if it exists with other content.

    Stacks refer to published objects, and a rollback reads them again. `same` returns whether an existing object with
    other bytes may stay.
    """
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*", **owner)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] not in {409, 412}:
            raise
    else:
        return True
    stored = s3.get_object(Bucket=bucket, Key=key, **owner)["Body"].read()
    if not (stored == body or (same and same(stored))):
        raise PublishError(
            f"{bucket}/{key} exists with other content. Published objects are not replaced, because stacks use them: "
            "make another release, or publish to another bucket."
        )
    return False


def _set_readers(s3: Any, owner: Mapping[str, str], readers: Readers, account: Account) -> None:
    """Replace the statement about readers in the bucket's policy; other statements stay."""
    policy = json.loads(s3.get_bucket_policy(**owner)["Policy"])
    found: Sequence[Any] = policy["Statement"]
    statement = readers.statement(owner["Bucket"], account.session.get_partition_for_region(account.region))
    kept = [each for each in found if each.get("Sid") != _READERS]
    policy["Statement"] = [*kept, *([statement] if statement else [])]
    # S3 rejects a public policy while they are blocked: unblock before adding one, and block after removing it.
    block = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": not readers.everybody,
        "RestrictPublicBuckets": not readers.everybody,
    }
    if readers.everybody:
        s3.put_public_access_block(**owner, PublicAccessBlockConfiguration=block)
    s3.put_bucket_policy(**owner, Policy=json.dumps(policy))
    if not readers.everybody:
        s3.put_public_access_block(**owner, PublicAccessBlockConfiguration=block)
