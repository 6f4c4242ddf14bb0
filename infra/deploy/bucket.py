"""The bucket from which CloudFormation reads the template and the zip."""

from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.account import Account, DeployError


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
        _create_bucket(account, s3, name)
    return name


def _create_bucket(account: Account, s3: Any, name: str) -> None:
    """Create a private bucket."""
    where = {} if account.region == "us-east-1" else {"LocationConstraint": account.region}
    try:
        s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": where} if where else {}))
        s3.put_public_access_block(
            Bucket=name,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True, "IgnorePublicAcls": True,
                "BlockPublicPolicy": True, "RestrictPublicBuckets": True,
            },
        )  # fmt: skip
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDenied":
            raise DeployError(
                f"These credentials may not create the bucket {name}, from which CloudFormation reads. "
                "Ask someone to create it, or use an existing one: BUCKET=…"
            ) from error
        raise
