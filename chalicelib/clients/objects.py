"""Read one version of an S3 object, up to a maximum size, and write objects."""

from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib.clients.aws import Aws
from chalicelib.clients.failures import FAILURES, failure_of, fault_of
from chalicelib.domain.errors import ConflictError, ObjectsUnavailableError, PayloadTooLargeError

_GONE: Final = {"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "MethodNotAllowed", "404"}
_CHANGED: Final = {"PreconditionFailed", "412"}


class Objects:
    """Reads and writes objects in every bucket that the function's role allows."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def read(
        self, bucket: str, key: str, *, version: str | None, etag: str, max_bytes: int
    ) -> tuple[bytes, Mapping[str, str]]:
        """Return an object's bytes and user metadata. Reads `version` or, if it is None, the content with this `etag`.

        Raises `ConflictError` if the object was deleted or overwritten, `PayloadTooLargeError`,
        `ObjectsUnavailableError`.
        """
        expected = {"VersionId": version} if version else {"IfMatch": f'"{etag}"'}
        try:
            return self._aws.repeat(lambda: self._read(max_bytes, Bucket=bucket, Key=key, **expected))
        except FAILURES as error:
            code = failure_of(error)
            if isinstance(error, ClientError) and code in _GONE:
                raise ConflictError("The file no longer exists. Upload it again.") from error
            if isinstance(error, ClientError) and code in _CHANGED:
                raise ConflictError(
                    "The file was overwritten before it was read. The new one has its own import."
                ) from error
            raise ObjectsUnavailableError(
                f"S3 could not read the file: {code}.", fault=fault_of(error, "s3", "GetObject")
            ) from error

    def write(self, bucket: str, key: str, body: bytes, *, content_type: str) -> None:
        """Write an object. Raises `ObjectsUnavailableError`."""
        try:
            self._aws.call("s3", "put_object", Bucket=bucket, Key=key, Body=body, ContentType=content_type)
        except FAILURES as error:
            raise ObjectsUnavailableError(
                f"S3 could not write the file: {failure_of(error)}.", fault=fault_of(error, "s3", "PutObject")
            ) from error

    def _read(self, max_bytes: int, **request: Any) -> tuple[bytes, Mapping[str, str]]:
        found = self._aws.client("s3").get_object(**request)
        if found["ContentLength"] > max_bytes:
            raise PayloadTooLargeError(f"The file can have up to {max_bytes} bytes. Split it.")
        return found["Body"].read(), found.get("Metadata", {})
