"""S3 objects: one version read whole, within a size, and one written."""

from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib.clients.aws import Aws
from chalicelib.clients.failures import FAILURES, failure_of
from chalicelib.domain.errors import (
    ConflictError,
    ObjectsUnavailableError,
    PayloadTooLargeError,
)

_GONE: Final = {"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "MethodNotAllowed", "404"}
_CHANGED: Final = {"PreconditionFailed", "412"}


class Objects:
    """Reads and writes objects of any bucket that the function's role lets it."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def read(
        self, bucket: str, key: str, *, version: str | None, etag: str, max_bytes: int
    ) -> tuple[bytes, Mapping[str, str]]:
        """Return an object's bytes and its own metadata: that version, or else what still has that entity tag.

        Raises `ConflictError` (gone, or overwritten since), `PayloadTooLargeError`, `ObjectsUnavailableError`.
        """
        which = {"VersionId": version} if version else {"IfMatch": f'"{etag}"'}
        try:
            found = self._client.get_object(Bucket=bucket, Key=key, **which)
            if found["ContentLength"] > max_bytes:
                raise PayloadTooLargeError(f"The file may have {max_bytes} bytes.")
            return found["Body"].read(), found.get("Metadata", {})
        except FAILURES as error:
            code = failure_of(error)
            if isinstance(error, ClientError) and code in _GONE:
                raise ConflictError("The file is not there any more.") from error
            if isinstance(error, ClientError) and code in _CHANGED:
                raise ConflictError("The file was overwritten by another.") from error
            raise ObjectsUnavailableError(f"The file can't be read: {code}.") from error

    def write(self, bucket: str, key: str, body: bytes, *, content_type: str) -> None:
        """Write an object whole. Raises `ObjectsUnavailableError`."""
        try:
            self._client.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)
        except FAILURES as error:
            raise ObjectsUnavailableError(f"The file can't be written: {failure_of(error)}.") from error

    @property
    def _client(self) -> Any:
        return self._aws.client("s3")
