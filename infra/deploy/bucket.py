"""The bucket from which CloudFormation reads the template and the zip."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.stack.account import Account, DeployError

_KEPT: Final = timedelta(days=30)

# How each setting of the bucket is read and written, and what it must be; BUCKET stands for the bucket's name.
_SETTINGS: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    (
        "get_public_access_block",
        "put_public_access_block",
        {
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            }
        },
    ),
    (
        "get_bucket_ownership_controls",
        "put_bucket_ownership_controls",
        {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
    ),
    (
        "get_bucket_policy",
        "put_bucket_policy",
        {
            "Policy": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "EncryptedOnTheWay",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": ["arn:aws:s3:::BUCKET", "arn:aws:s3:::BUCKET/*"],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            }
        },
    ),
    (
        # Packages are removed after a deployment, not by age: a rollback reads the previous one.
        "get_bucket_lifecycle_configuration",
        "put_bucket_lifecycle_configuration",
        {
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "ID": "AbortUploads",
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                    }
                ]
            }
        },
    ),
)


def ready_bucket(account: Account, given: str | None) -> str:
    """Return the bucket to deploy from: `given`, or the account's default bucket, which is created if it is missing.

    Raise `DeployError` if `given` does not exist or these credentials can't use the bucket.
    """
    name = given or f"admit-one-deploy-{account.account_id}-{account.region}"
    s3 = account.client("s3")
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=account.account_id)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 403:
            raise DeployError(
                f"The bucket {name} is not this account's, or these credentials may not use it. "
                "They need s3:ListBucket, s3:GetObject and s3:PutObject on it; or use another: BUCKET=…"
            ) from error
        if status != 404:
            raise
        if given:
            raise DeployError(f"There is no bucket {name}.") from error
        create_bucket(account, s3, name)
    if not given:
        protect_bucket(s3, name, account.account_id)
    return name


def remove_old(account: Account, bucket: str, prefix: str, keep: Collection[str], now: datetime) -> None:
    """Remove a stage's packages that are older than 30 days, except those in `keep`: a rollback needs the previous one.

    Credentials that may not remove objects leave them.
    """
    s3, owner = account.client("s3"), {"ExpectedBucketOwner": account.account_id}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **owner)
    old = [
        each["Key"]
        for page in pages
        for each in page.get("Contents", ())
        if each["LastModified"] < now - _KEPT and each["Key"] not in keep
    ]
    try:
        for key in old:
            s3.delete_object(Bucket=bucket, Key=key, **owner)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise


def protect_bucket(s3: Any, name: str, account_id: str, *, keep_public_access: bool = False) -> None:
    """Make a bucket private, and require TLS. A bucket that was created but not protected gets it now.

    Statements of its policy and lifecycle rules that somebody added stay. With `keep_public_access`, a bucket that
    already has a public access setting keeps it.
    """
    owner = {"Bucket": name, "ExpectedBucketOwner": account_id}
    for read, write, settings in _SETTINGS:
        try:
            found = _as_written(getattr(s3, read)(**owner))
        except ClientError as error:
            if not error.response["Error"]["Code"].startswith("NoSuch") and "NotFound" not in str(error):
                raise
            found = {}
        if found and keep_public_access and read == "get_public_access_block":
            continue
        wanted = _with_others(json.loads(json.dumps(settings).replace("BUCKET", name)), found)
        if any(found.get(key) != value for key, value in wanted.items()):
            if "Policy" in wanted:
                wanted["Policy"] = json.dumps(wanted["Policy"])
            getattr(s3, write)(**owner, **wanted)


def _as_written(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a bucket's setting in the form in which it is written, with its policy as a document."""
    if "Policy" in found:
        return {"Policy": json.loads(found["Policy"])}
    if "Rules" in found:
        return {"LifecycleConfiguration": {"Rules": found["Rules"]}}
    return dict(found)


def _with_others(wanted: dict[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a wanted setting with the policy statements and lifecycle rules that were found."""
    for name, entries, key in (("Policy", "Statement", "Sid"), ("LifecycleConfiguration", "Rules", "ID")):
        if name in wanted and name in found:
            others = found[name][entries]
            ours = {each[key]: each for each in wanted[name][entries]}
            kept = [
                ours.pop(each.get(key), each) for each in (others if isinstance(others, list) else [others])
            ]
            wanted[name] = {**found[name], entries: [*kept, *ours.values()]}
    return wanted


def create_bucket(account: Account, s3: Any, name: str) -> None:
    """Create a bucket."""
    where = {} if account.region == "us-east-1" else {"LocationConstraint": account.region}
    try:
        s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": where} if where else {}))
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDenied":
            raise DeployError(
                f"These credentials may not create the bucket {name}, from which CloudFormation reads. "
                "Ask someone to create it, or use an existing one: BUCKET=…"
            ) from error
        raise
